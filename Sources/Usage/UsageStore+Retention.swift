public import System

/// How long the store remembers what.
public struct Retention: Equatable, Sendable {
  /// Days for which each hour is kept; older ones are summed up by day.
  public var hours: Int
  /// Days that are kept at all.
  public var days: Int
  /// How many hosts are kept by name for each device, day and verdict once a day is summed up:
  /// those with most bytes and connections.
  ///
  /// The others become one, `(other)`.
  public var hostsPerDevice: Int

  /// 35 days by hour, 400 by day, 200 hosts for each device, unless said otherwise.
  public init(hours: Int = 35, days: Int = 400, hostsPerDevice: Int = 200) {
    self.hours = hours
    self.days = days
    self.hostsPerDevice = hostsPerDevice
  }
}

extension UsageStore {
  /// Sums up hours that are older than `retention.hours` days into days, and drops what is older
  /// than `retention.days` days.
  ///
  /// Meant to be called once a day; a day's work takes one transaction.
  public func expire(
    now: WallTime, _ retention: Retention = Retention()
  ) throws(UsageStoreError) {
    try requireFile()
    let today = LocalDay(containing: now)
    let firstHour = today.adding(days: -max(1, retention.hours)).start.seconds
    let firstDay = today.adding(days: -max(1, retention.days))
    let database = database
    while true {
      let oldest = try database.number("SELECT ifnull(min(hour), \(Int64.max)) FROM hour")
      if oldest >= firstHour { break }
      let day = LocalDay(containing: WallTime(seconds: oldest))
      // A day has an end after each of its seconds; the guard keeps a strange zone from looping.
      let end = max(oldest + 1, day.end.seconds)
      try database.transaction { () throws(UsageStoreError) in
        if day >= firstDay { try rollUp(day, until: end, hosts: retention.hostsPerDevice) }
        try database.run("DELETE FROM hour WHERE hour < \(end)")
      }
    }
    let firstSecond = firstDay.start.seconds
    try database.transaction { () throws(UsageStoreError) in
      try database.run(
        """
        DELETE FROM day WHERE day < \(firstDay.decimal);
        DELETE FROM event WHERE until < \(firstSecond);
        DELETE FROM health WHERE hour < \(firstSecond);
        DELETE FROM client WHERE id NOT IN (SELECT client FROM hour);
        DELETE FROM host WHERE id NOT IN (SELECT host FROM hour UNION SELECT host FROM day);
        DELETE FROM rule WHERE id NOT IN (SELECT rule FROM hour UNION SELECT rule FROM day);
        DELETE FROM device WHERE id NOT IN (SELECT device FROM client UNION SELECT device FROM day);
        """)
    }
    // Free pages go back to the file system, a bounded number at a time.
    try database.run("PRAGMA incremental_vacuum(4096)")
    database.releaseMemory()
  }

  /// Adds the hours before `end` to the day.
  private func rollUp(_ day: LocalDay, until end: Int64, hosts: Int) throws(UsageStoreError) {
    try database.run("INSERT OR IGNORE INTO host(name) VALUES('\(UsageKey.other)')")
    try database.run(
      """
      WITH part AS (
        SELECT client.device AS device, hour.rule AS rule, hour.host AS host,
          hour.outcome AS outcome, outcome.verdict AS verdict, sum(connections) AS connections,
          sum(packets_up) AS packets_up, sum(packets_down) AS packets_down,
          sum(bytes_up) AS bytes_up, sum(bytes_down) AS bytes_down
        FROM hour JOIN client ON client.id = hour.client JOIN outcome ON outcome.id = hour.outcome
        WHERE hour.hour < \(end) GROUP BY 1, 2, 3, 4),
      ranked AS (
        SELECT *, row_number() OVER (
          PARTITION BY device, verdict
          ORDER BY bytes_up + bytes_down DESC, connections DESC, host) AS place
        FROM part)
      INSERT INTO day
        SELECT \(day.decimal), device, rule,
          CASE WHEN place <= \(max(1, hosts)) THEN host
            ELSE (SELECT id FROM host WHERE name = '\(UsageKey.other)') END AS kept,
          outcome, sum(connections), sum(packets_up), sum(packets_down), sum(bytes_up),
          sum(bytes_down)
        FROM ranked WHERE true GROUP BY device, rule, kept, outcome
      ON CONFLICT(day, device, rule, host, outcome) DO UPDATE SET
        connections = connections + excluded.connections,
        packets_up = packets_up + excluded.packets_up,
        packets_down = packets_down + excluded.packets_down,
        bytes_up = bytes_up + excluded.bytes_up,
        bytes_down = bytes_down + excluded.bytes_down
      """)
  }
}
