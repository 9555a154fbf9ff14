/// The store's tables (docs/store.md explains them), as the steps that led to them.
enum StoreSchema {
  /// `PRAGMA application_id`: "imga".
  static let applicationID: Int64 = 0x696d_6761

  /// The version that this program reads and writes.
  static var version: Int64 { Int64(migrations.count) }

  /// Step n brings version n to version n + 1; a step that was released is never changed.
  static let migrations = [
    """
    CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO meta VALUES('generation', 0);
    CREATE TABLE device(
      id INTEGER PRIMARY KEY, mac TEXT NOT NULL UNIQUE, name TEXT NOT NULL DEFAULT '');
    CREATE TABLE client(
      id INTEGER PRIMARY KEY, device INTEGER NOT NULL REFERENCES device(id),
      address TEXT NOT NULL, UNIQUE(device, address));
    CREATE TABLE rule(
      id INTEGER PRIMARY KEY, service TEXT NOT NULL, name TEXT NOT NULL, UNIQUE(service, name));
    CREATE TABLE host(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE outcome(
      id INTEGER PRIMARY KEY, verdict TEXT NOT NULL, reason TEXT NOT NULL,
      UNIQUE(verdict, reason));
    CREATE TABLE hour(
      hour INTEGER NOT NULL, client INTEGER NOT NULL, rule INTEGER NOT NULL,
      host INTEGER NOT NULL, outcome INTEGER NOT NULL,
      connections INTEGER NOT NULL, packets_up INTEGER NOT NULL, packets_down INTEGER NOT NULL,
      bytes_up INTEGER NOT NULL, bytes_down INTEGER NOT NULL,
      PRIMARY KEY(hour, client, rule, host, outcome)) WITHOUT ROWID;
    CREATE TABLE day(
      day INTEGER NOT NULL, device INTEGER NOT NULL, rule INTEGER NOT NULL,
      host INTEGER NOT NULL, outcome INTEGER NOT NULL,
      connections INTEGER NOT NULL, packets_up INTEGER NOT NULL, packets_down INTEGER NOT NULL,
      bytes_up INTEGER NOT NULL, bytes_down INTEGER NOT NULL,
      PRIMARY KEY(day, device, rule, host, outcome)) WITHOUT ROWID;
    CREATE TABLE event(
      time INTEGER NOT NULL, until INTEGER NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL,
      detail TEXT NOT NULL);
    CREATE INDEX event_time ON event(time);
    CREATE TABLE health(
      hour INTEGER PRIMARY KEY, packets_queued INTEGER NOT NULL, queue_dropped INTEGER NOT NULL,
      user_dropped INTEGER NOT NULL, overruns INTEGER NOT NULL,
      conntrack_overruns INTEGER NOT NULL, failures INTEGER NOT NULL, seconds INTEGER NOT NULL);
    CREATE VIEW usage_by_hour AS
      SELECT datetime(hour.hour, 'unixepoch', 'localtime') AS hour, device.mac, device.name,
        client.address, rule.service, rule.name AS rule, host.name AS host, outcome.verdict,
        outcome.reason, connections, packets_up, packets_down, bytes_up, bytes_down
      FROM hour JOIN client ON client.id = hour.client JOIN device ON device.id = client.device
        JOIN rule ON rule.id = hour.rule JOIN host ON host.id = hour.host
        JOIN outcome ON outcome.id = hour.outcome;
    CREATE VIEW usage_by_day AS
      SELECT date(hour.hour, 'unixepoch', 'localtime') AS day, device.mac, device.name,
        rule.service, rule.name AS rule, host.name AS host, outcome.verdict, outcome.reason,
        sum(connections) AS connections, sum(packets_up) AS packets_up,
        sum(packets_down) AS packets_down, sum(bytes_up) AS bytes_up, sum(bytes_down) AS bytes_down
      FROM hour JOIN client ON client.id = hour.client JOIN device ON device.id = client.device
        JOIN rule ON rule.id = hour.rule JOIN host ON host.id = hour.host
        JOIN outcome ON outcome.id = hour.outcome
      GROUP BY 1, device.id, hour.rule, hour.host, hour.outcome
      UNION ALL
      SELECT printf('%04d-%02d-%02d', day.day / 10000, day.day / 100 % 100, day.day % 100),
        device.mac, device.name, rule.service, rule.name, host.name, outcome.verdict,
        outcome.reason, connections, packets_up, packets_down, bytes_up, bytes_down
      FROM day JOIN device ON device.id = day.device JOIN rule ON rule.id = day.rule
        JOIN host ON host.id = day.host JOIN outcome ON outcome.id = day.outcome;
    """
  ]
}
