import Testing

@testable import Netfilter

struct QueueStatisticsTests {
  @Test func `The columns are those of seq_show in nfnetlink_queue.c`() {
    // queue, peer port, waiting, copy mode, copy range, queue dropped, user dropped, id sequence, 1
    let text = """
         40  31373     3 2 65531    12     5      937  1
        300 4294963199     0 1     0     0     0 4294967295  1

      """
    #expect(
      QueueStatistics.parse(Array(text.utf8)) == [
        QueueStatistics(
          queue: 40, peerPort: 31373, waiting: 3, copyMode: 2, copyRange: 65531,
          droppedQueueFull: 12, droppedSocketFull: 5, idSequence: 937),
        QueueStatistics(
          queue: 300, peerPort: 4_294_963_199, waiting: 0, copyMode: 1, copyRange: 0,
          droppedQueueFull: 0, droppedSocketFull: 0, idSequence: 4_294_967_295),
      ])
  }

  @Test(
    arguments: [
      "", "\n\n", "   40  31373     3 2 65531    12     5", "a b c d e f g h i",
      "70000 1 1 1 1 1 1 1 1", "40 -1 1 1 1 1 1 1 1", "40 1 1 1 1 99999999999999999999 1 1 1",
      "40 1 1 300 1 1 1 1 1",
    ])
  func `A line that is not so is left out`(text: String) {
    #expect(QueueStatistics.parse(Array(text.utf8)).isEmpty)
  }
}
