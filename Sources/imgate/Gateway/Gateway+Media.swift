internal import Arguments
internal import Flow
internal import Netfilter
internal import Policy
internal import Queue
internal import System
internal import Usage
internal import Wire

// Media of companions: what each device may move of it in a day.
extension Gateway {
  /// Every two seconds: while media lives, its bytes are counted.
  ///
  /// A device gets past its budget by no more than what its downloads bring in that time; uploads
  /// visit the workers, and end with the packet that is too much. The kernel lists only connections
  /// that are judged for life, so this costs little beside the dump of all once a minute. A server
  /// that never acknowledges a request or a frame keeps its connection in one of the other two states.
  func watchMedia() {
    let now = WallTime.now
    if media.turn(to: now) { countMediaOfStore() }
    drain()
    if ledger.hasMedia() {
      var uncut: [FiveTuple] = []
      do throws(NetfilterError) {
        for state in [ConnectionState.watched, .awaiting, .watchedBothWays] {
          try conntrack.dump(mask: mask, state: state) { entry in
            if credit(entry, at: now) { uncut.append(entry.original) }
          }
        }
      } catch {
        log(.error, limit: "dump", error.description)
      }
      cut(uncut)
    }
    spendMedia(at: now)
  }

  /// Spends what was downloaded since the last time, and cuts the media of devices that have spent
  /// more than they may.
  func spendMedia(at time: WallTime) {
    for (device, bytes) in ledger.takeMediaBytes() { companions.spend(bytes, by: device) }
    if policy.mode == .enforce {
      let unwanted = ledger.cutMedia(at: time) { device in
        companions.spent(by: device) > policy.mediaBudget && !isPaused(device)
      }
      cut(unwanted)
    }
    do throws(SystemError) {
      try media.write(companions.spentToday)
    } catch {
      log(
        .warning, limit: "media", every: .seconds(600),
        "\(paths.runtimeDirectory)/media: \(error.description); after a restart the media of the "
          + "last minutes may be forgotten")
    }
  }

  /// Takes up what devices have moved today before a restart: the larger of what the last run has
  /// written and what the store has.
  func restoreMedia() {
    let written = media.read()
    countMediaOfStore()
    for (device, bytes) in written {
      let known = companions.spent(by: device)
      if bytes > known { companions.spend(bytes - known, by: device) }
    }
  }

  // At midnight the store has nothing of the new day. It has when the clock was put right.
  private func countMediaOfStore() {
    companions.newDay()
    guard let store else { return }
    do throws(UsageStoreError) {
      let stored = try store.bytes(of: Reason.mediaCompanion.name, since: media.day.start)
      for (device, bytes) in stored { companions.spend(bytes, by: device) }
    } catch {
      log(.warning, limit: "media", error.text)
    }
  }
}
