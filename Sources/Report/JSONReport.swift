internal import System
internal import Usage
internal import Wire

/// A report as JSON, one object a line (docs/report.md names the fields).
public enum JSONReport {
  /// The report on `data`.
  public static func render(_ data: ReportData) -> String {
    var out = JSONLines()
    out.begin("report")
    out.add("from", data.first.text)
    out.add("to", data.last.text)
    out.add("start", data.start)
    out.add("end", data.end)
    out.add("made", data.now)
    out.add("live", data.live.rawValue)
    out.add("notes", data.notes)
    out.end()
    out.begin("total")
    out.add("devices", UInt64(data.devices.count))
    out.add(data.allowed)
    out.add("refused", data.refused.connections)
    out.add("refusedBytesUp", data.refused.bytesUp)
    out.add("refusedBytesDown", data.refused.bytesDown)
    out.end()
    for device in data.devices {
      out.begin("device")
      out.add(device.mac)
      out.add("device", device.name)
      out.add("private", device.mac.isPrivate)
      out.add("addresses", device.addresses.map { $0.text })
      out.add(device.allowed)
      out.add("refused", device.refused.connections)
      out.end()
    }
    for service in data.services {
      out.begin(service.rule.isEmpty ? "service" : "feature")
      out.add("service", service.service)
      if !service.rule.isEmpty { out.add("rule", service.rule) }
      out.add("devices", UInt64(service.devices))
      out.add(service.allowed)
      out.add("refused", service.refused.connections)
      out.end()
      for apart in service.apart {
        out.begin("apart")
        out.add("service", service.service)
        out.add("rule", service.rule)
        out.add("reason", apart.reason)
        out.add("explanation", apart.explanation)
        out.add("devices", UInt64(apart.devices))
        out.add(apart.counts)
        out.end()
      }
    }
    for refusal in data.refusals {
      out.begin("refused")
      out.add("host", refusal.host)
      out.add(refusal.mac)
      out.add("device", refusal.device)
      out.add("rule", refusal.rule)
      out.add("reason", refusal.reason)
      out.add("times", refusal.times)
      out.end()
    }
    for reason in data.reasons {
      out.begin("reason")
      out.add("reason", reason.reason)
      out.add("explanation", reason.explanation)
      out.add("times", reason.times)
      out.end()
    }
    for hour in data.hours {
      out.begin("hour")
      out.add("start", hour.start)
      out.add(hour.allowed)
      out.add("refused", hour.refused.connections)
      out.end()
    }
    for detail in data.details {
      out.begin("use")
      out.add(detail.mac)
      out.add("device", detail.device)
      out.add("service", detail.service)
      out.add("rule", detail.rule)
      out.add("host", detail.host)
      out.add("verdict", detail.verdict.rawValue)
      out.add("reason", detail.reason)
      out.add(detail.counts)
      out.end()
    }
    for event in data.events {
      out.begin("event")
      out.add("time", event.time)
      out.add("until", event.until)
      out.add("kind", event.kind.rawValue)
      out.add("count", event.count)
      out.add("detail", event.detail)
      out.end()
    }
    out.begin("health")
    out.add("seconds", data.health.seconds)
    out.add("packetsQueued", data.health.packetsQueued)
    out.add("queueDropped", data.health.queueDropped)
    out.add("userDropped", data.health.userDropped)
    out.add("overruns", data.health.overruns)
    out.add("conntrackOverruns", data.health.conntrackOverruns)
    out.add("failures", data.health.failures)
    out.end()
    return out.text
  }
}

extension JSONLines {
  fileprivate mutating func add(_ mac: MACAddress) {
    add("mac", mac == .unknown ? nil : mac.text)
  }

  fileprivate mutating func add(_ counts: UsageCounts) {
    add("connections", counts.connections)
    add("packetsUp", counts.packetsUp)
    add("packetsDown", counts.packetsDown)
    add("bytesUp", counts.bytesUp)
    add("bytesDown", counts.bytesDown)
  }
}
