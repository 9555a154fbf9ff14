public import Policy
internal import System
public import Wire

/// Which devices have a live chat connection, and how much chat media they have moved today: shared
/// by all workers, since the connection and its media may meet different ones.
///
/// A worker enters a connection when it is handed over; who hears from conntrack that it ended takes
/// it out.
public final class Companions: Sendable {
  private struct Connection: Equatable {
    let tuple: FiveTuple
    let service: UInt32
    let application: Application
  }

  private struct State {
    // Oldest first.
    var live: [MACAddress: [Connection]] = [:]
    var owners: [FiveTuple: MACAddress] = [:]
    var spent: [MACAddress: UInt64] = [:]

    mutating func remove(_ tuple: FiveTuple) {
      guard let device = owners.removeValue(forKey: tuple),
        let index = live.index(forKey: device)
      else { return }
      live.values[index].removeAll { $0.tuple == tuple }
      if live.values[index].isEmpty { live.remove(at: index) }
    }
  }

  private let state = Locked(State())

  /// Connections and devices that are remembered at most, so that nobody fills the memory.
  static let limit = 65_536
  /// Connections of one device that are remembered; past it its oldest is forgotten.
  static let limitPerDevice = 32

  /// Nobody has a connection.
  public init() {}

  /// A connection lives; it is remembered if its protocol is one of chat.
  public func began(
    _ tuple: FiveTuple, device: MACAddress, service: UInt32, application: Application
  ) {
    // Others would only put those out that vouch.
    guard application.mayVouch else { return }
    let connection = Connection(tuple: tuple, service: service, application: application)
    state.withLock { state in
      // The books say so of every connection once a minute.
      if state.owners[tuple] == device,
        let index = state.live.index(forKey: device),
        state.live.values[index].contains(connection)
      {
        return
      }
      state.remove(tuple)
      guard state.owners.count < Self.limit else { return }
      if let mine = state.live[device], mine.count >= Self.limitPerDevice {
        state.remove(mine[0].tuple)
      }
      state.live[device, default: []].append(connection)
      state.owners[tuple] = device
    }
  }

  /// A connection has ended.
  public func ended(_ tuple: FiveTuple) {
    state.withLock { $0.remove(tuple) }
  }

  /// Whether a live connection of `device` is one of `vouchers`.
  ///
  /// Looks at the device's own connections only.
  public func vouch(for device: MACAddress, _ vouchers: Vouchers) -> Bool {
    state.withLock { state in
      guard let index = state.live.index(forKey: device) else { return false }
      return state.live.values[index].contains {
        $0.service == vouchers.service
          && vouchers.applications.contains(ApplicationSet($0.application))
      }
    }
  }

  /// Adds bytes of media to what a device has moved today; the sum.
  ///
  /// When more devices have moved some than can be remembered, another one has used up any budget.
  @discardableResult
  public func spend(_ bytes: UInt64, by device: MACAddress) -> UInt64 {
    state.withLock { state in
      if let index = state.spent.index(forKey: device) {
        let (sum, isTooMuch) = state.spent.values[index].addingReportingOverflow(bytes)
        state.spent.values[index] = isTooMuch ? .max : sum
        return state.spent.values[index]
      }
      guard state.spent.count < Self.limit else { return .max }
      state.spent[device] = bytes
      return bytes
    }
  }

  /// What a device has moved today.
  public func spent(by device: MACAddress) -> UInt64 {
    state.withLock { $0.spent[device, default: 0] }
  }

  /// Another day: nobody has moved anything.
  public func newDay() { state.withLock { $0.spent = [:] } }
}

// What the books ask and tell.
extension Companions {
  /// How many connections live.
  public var liveCount: Int { state.withLock { $0.owners.count } }

  /// The connections that live.
  public var liveTuples: [FiveTuple] { state.withLock { Array($0.owners.keys) } }

  /// What every device that moved anything has moved today.
  public var spentToday: [MACAddress: UInt64] { state.withLock { $0.spent } }
}
