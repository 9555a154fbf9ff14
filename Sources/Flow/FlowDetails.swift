/// What only few flows need to have remembered, kept apart to keep the others small.
final class FlowDetails {
  /// A nameless protocol's service, for which the connection vouches when it lives.
  var service: UInt32?
  /// The HTTP body whose framing is judged as it comes.
  var body: BodyFollower?
  /// Whether the flow is chat media that a companion vouched for: it is never left to the kernel, and
  /// its bytes count against the device's budget.
  var isMedia = false
  /// Highway: where the byte stands that is to end the frame which has been let through.
  var frameEnd: Int?
  /// The reply to a newgetdns request, as far as it has come.
  var reply: NewDNSCollector?
}
