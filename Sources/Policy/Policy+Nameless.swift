public import Names
public import System
public import Wire

// Protocols that carry no name: what they are and where they lead decides.
extension Policy {
  /// Judges a flow whose protocol carries no name; allocates nothing.
  ///
  /// The owner's address lines come first. Then a feature that is on must list the protocol among the
  /// signatures of an endpoint, on this port, and (under `binding: strict`) the address must be
  /// learned for one of that endpoint's names, or be one of its addresses; an endpoint with a
  /// `companion` needs a live connection instead (`Decision.vouchers`). A name that the owner denies
  /// proves nothing.
  public func decide(
    nameless subject: Subject, pattern: PatternID?, learned: LearnedAddresses, now: Instant
  ) -> Decision {
    judge(subject, pattern, learned, now, assumed: .none)
  }

  /// Judges a live nameless flow again, after the rules have changed.
  ///
  /// `feature` is the name of the rule that allowed it (`wechat.messaging`), if its address was proven
  /// then (`signature-allowed`, under another binding than `off`), else nil. That the entry has expired
  /// since doesn't matter, as long as that feature still allows the protocol on the port and the
  /// owner doesn't deny the names that live there. A flow that others vouch for is judged without.
  public func stillAllows(
    _ subject: Subject, pattern: PatternID?, provenFor feature: String?, learned: LearnedAddresses,
    now: Instant
  ) -> Decision {
    judge(
      subject, pattern, learned, now, assumed: feature.map { self.feature(named: $0) } ?? .none)
  }

  /// The feature with a name that is on.
  private func feature(named name: String) -> RuleID {
    for (index, record) in table.rules.records.enumerated() {
      // Features come first.
      guard record.kind == .feature else { return .none }
      if record.tier == .on, table.rules.features[Int(record.index)].name == name {
        return RuleID(UInt32(index))
      }
    }
    return .none
  }

  // MARK: The judgement

  /// What the endpoints say that list a protocol, wherever the flow leads.
  private struct Listing {
    /// The first that is on and needs a known address.
    var bound: RuleID?
    var boundRate: UInt16 = 0
    /// The first that is on and takes vouchers instead.
    var media: Int?
    /// One of the same kind that is off: a flow to an address that is nobody's could be its.
    var mediaSwitchedOff = RuleID.none
    /// One that `media: off` closes.
    var mediaOff = RuleID.none
    /// On, on other ports.
    var elsewhere = RuleID.none
    var off = RuleID.none
    /// Whether the feature that the caller assumes is among those that are on.
    var hasAssumed = false
  }

  private func listing(_ signature: SignatureSet, _ subject: Subject, _ assumed: RuleID) -> Listing
  {
    var listing = Listing()
    for i in table.signatures.endpoints.indices {
      let endpoint = table.signatures.endpoints[i]
      let demand = table.conditions.demand(of: endpoint.condition)
      guard demand.signatures.intersects(signature) else { continue }
      let takesVouchers = !demand.companion.isEmpty && media != .bound
      if !endpoint.isOn {
        if listing.off == .none { listing.off = endpoint.rule }
        if takesVouchers, listing.mediaSwitchedOff == .none {
          listing.mediaSwitchedOff = endpoint.rule
        }
        continue
      }
      guard table.conditions.contains(endpoint.condition, subject.transport, subject.port) else {
        if listing.elsewhere == .none { listing.elsewhere = endpoint.rule }
        continue
      }
      if takesVouchers, media == .off {
        if listing.mediaOff == .none { listing.mediaOff = endpoint.rule }
        continue
      }
      if endpoint.rule == assumed { listing.hasAssumed = true }
      if takesVouchers {
        if listing.media == nil { listing.media = i }
      } else if listing.bound == nil {
        listing.bound = endpoint.rule
        listing.boundRate = demand.rate
      }
    }
    return listing
  }

  /// What a flow is, and on which port.
  private struct Claim {
    let signature: SignatureSet
    let transport: Transport
    let port: UInt16
  }

  /// What speaks for a claim, and against it.
  private struct Proof {
    /// The feature that has a server of the protocol there.
    var rule = RuleID.none
    var rate: UInt16 = 0
    /// A line of the owner's that denies a name there.
    var denied = RuleID.none
  }

  /// What the names and the packs say of an address.
  private func proof(
    _ claim: Claim, at address: IPAddress, _ learned: LearnedAddresses, _ now: Instant
  ) -> Proof {
    var proof = Proof()
    learned.hasName(at: address, now: now) { name in
      let found = self.proof(claim, of: name)
      if found.denied != .none {
        proof.denied = found.denied
        return false
      }
      if found.rule == .none { return false }
      proof.rule = found.rule
      proof.rate = found.rate
      return true
    }
    if proof.rule != .none { return proof }
    table.builtIn.forEachRule(covering: address) { rule in
      if proof.rule == .none { note(rule.rule, rule.tier, rule.condition, claim, &proof) }
    }
    return proof
  }

  /// What the rules say of one name.
  private func proof(_ claim: Claim, of name: HostName) -> Proof {
    var proof = Proof()
    table.hosts.forEachRule(covering: name) {
      note($0.rule, $0.tier, $0.condition, claim, &proof)
    }
    if table.regexes.isEmpty { return proof }
    table.regexes.forEachMatch(name) {
      $0.tier == .deny || $0.tier == .on
    } _: {
      note($0.rule, $0.tier, $0.condition, claim, &proof)
    }
    return proof
  }

  // No local function in the closures above: it would put what it changes on the heap.
  @inline(__always)
  private func note(
    _ rule: RuleID, _ tier: Tier, _ condition: UInt32, _ claim: Claim, _ proof: inout Proof
  ) {
    guard tier == .deny || tier == .on,
      table.conditions.contains(condition, claim.transport, claim.port)
    else { return }
    if tier == .deny {
      proof.denied = rule
      return
    }
    let demand = table.conditions.demand(of: condition)
    guard demand.signatures.intersects(claim.signature), media != .off || demand.companion.isEmpty
    else { return }
    proof.rule = rule
    proof.rate = demand.rate
  }

  private func judge(
    _ subject: Subject, _ pattern: PatternID?, _ learned: LearnedAddresses, _ now: Instant,
    assumed: RuleID
  ) -> Decision {
    let unrestricted = table.devices.unrestrictedRule(of: subject.device)
    if unrestricted != .none {
      return Decision(reason: .deviceUnrestricted, rule: unrestricted)
    }
    let byAddress = table.match(subject.address, subject.port, subject.transport)
    if byAddress.deny != .none {
      return Decision(reason: .addressDenied, rule: byAddress.deny)
    }
    if byAddress.allow != .none {
      return Decision(reason: .addressAllowed, rule: byAddress.allow)
    }
    var signature = SignatureSet()
    if let pattern, Int(pattern.index) < table.signatures.patterns.count {
      if table.signatures.patterns[Int(pattern.index)].isRefused {
        let rule = table.signatures.patterns[Int(pattern.index)].rule
        return Decision(reason: .unwantedProtocol, rule: rule)
      }
      signature.patterns = 1 << UInt64(pattern.index)
    } else if subject.application.isSignature {
      signature.applications = ApplicationSet(subject.application)
    }
    let listing = listing(signature, subject, assumed)
    if listing.bound != nil || listing.media != nil {
      let claim = Claim(
        signature: signature, transport: subject.transport, port: subject.port)
      let proof = proof(claim, at: subject.address, learned, now)
      if proof.rule != .none {
        return Decision(reason: .signatureAllowed, rule: proof.rule, rate: proof.rate)
      }
      if proof.denied != .none { return Decision(reason: .hostDenied, rule: proof.denied) }
      if listing.hasAssumed { return Decision(reason: .signatureAllowed, rule: assumed) }
      return unproven(listing)
    }
    if listing.mediaOff != .none { return Decision(reason: .mediaOff, rule: listing.mediaOff) }
    let elsewhere = listing.elsewhere != .none ? listing.elsewhere : byAddress.allowElsewhere
    if elsewhere != .none { return Decision(reason: .portNotAllowed, rule: elsewhere) }
    if listing.off != .none { return Decision(reason: .featureOff, rule: listing.off) }
    return Decision(reason: .unknownProtocol, rule: .none)
  }

  /// The right bytes, at an address that nobody taught.
  private func unproven(_ listing: Listing) -> Decision {
    if let index = listing.media {
      // Nothing tells such flows apart: they pass only if all that they may be is on.
      if listing.mediaSwitchedOff != .none {
        return Decision(reason: .featureOff, rule: listing.mediaSwitchedOff)
      }
      let endpoint = table.signatures.endpoints[index]
      let demand = table.conditions.demand(of: endpoint.condition)
      return Decision(
        reason: .mediaCompanion, rule: endpoint.rule,
        vouchers: Vouchers(service: endpoint.service, applications: demand.companion),
        rate: demand.rate)
    }
    let rule = listing.bound ?? .none
    switch binding {
    case .strict: return Decision(reason: .addressNotLearned, rule: rule)
    case .observe:
      return Decision(reason: .addressUnproven, rule: rule, rate: listing.boundRate)
    case .off: return Decision(reason: .signatureAllowed, rule: rule, rate: listing.boundRate)
    }
  }

  /// Whether the server at `address` may be asked, and believed, as `application` for `host`: of a
  /// feature that is on, an endpoint with this signature has the name or the address.
  ///
  /// A name says nothing of the address: whether that is known is `isProven`'s to say.
  public func serves(
    _ application: Application, _ host: HostName?, address: IPAddress, port: UInt16
  ) -> Bool {
    let claim = Claim(
      signature: SignatureSet(applications: ApplicationSet(application)),
      transport: application.transport, port: port)
    if let host {
      let proof = proof(claim, of: host)
      if proof.denied != .none { return false }
      if proof.rule != .none { return true }
    }
    var proof = Proof()
    table.builtIn.forEachRule(covering: address) { rule in
      note(rule.rule, rule.tier, rule.condition, claim, &proof)
    }
    return proof.rule != .none
  }

  /// Whether `address` is learned or built in for a protocol, under every `binding`: of a feature
  /// that is on, an endpoint with this signature has a name that lives there, or the address.
  public func isProven(
    _ address: IPAddress, port: UInt16, for application: Application, learned: LearnedAddresses,
    now: Instant
  ) -> Bool {
    let claim = Claim(
      signature: SignatureSet(applications: ApplicationSet(application)),
      transport: application.transport, port: port)
    return proof(claim, at: address, learned, now).rule != .none
  }

  /// What stands for a rule's service in `Vouchers`: the same over all reloads; 0 for what the owner
  /// wrote, for which nobody vouches.
  public func serviceKey(of rule: RuleID) -> UInt32 {
    guard let record = table.rules.record(rule), record.kind == .feature else { return 0 }
    return table.rules.features[Int(record.index)].serviceKey
  }
}
