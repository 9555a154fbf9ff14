internal import CSystem
internal import System

/// getopt_long(3) over one part of the command line.
struct Scanner {
  /// What was found, in order.
  var options: [(name: OptionName, value: String?)] = []
  private let known: [CommandDescription.Option]
  private let stopsAtOperand: Bool
  private let command: CommandName?

  init(_ known: [CommandDescription.Option], stopsAtOperand: Bool, command: CommandName?) {
    self.known = known
    self.stopsAtOperand = stopsAtOperand
    self.command = command
  }

  /// Adds the options of `arguments` to `options` and returns the operands.
  ///
  /// Not for two threads at once: getopt keeps its place in globals.
  mutating func scan(_ arguments: [String]) throws(UsageError) -> [String] {
    // The names and the vector are copies that live until the defer below, after the last call.
    var names: [UnsafeMutablePointer<CChar>?] = unsafe []
    var table: [option] = unsafe []
    for entry in known {
      let name = unsafe strdup(entry.name.rawValue)
      unsafe names.append(name)
      unsafe table.append(
        option(
          name: name, has_arg: entry.placeholder == nil ? 0 : 1, flag: nil,
          val: Self.firstValue + CInt(table.count)))
    }
    unsafe table.append(option())
    // getopt skips the program's name, and moves operands behind options.
    var vector: [UnsafeMutablePointer<CChar>?] = unsafe [strdup("imgate")]
    for argument in arguments { unsafe vector.append(strdup(argument)) }
    let count = unsafe CInt(vector.count)
    unsafe vector.append(nil)
    let allocated = unsafe vector
    defer {
      for i in unsafe names.indices { unsafe free(names[i]) }
      for i in unsafe allocated.indices { unsafe free(allocated[i]) }
    }
    imgate_getopt_start()
    // A colon first: a missing value is told apart from an unknown option.
    let letters = stopsAtOperand ? "+:h" : ":h"
    while true {
      let value = unsafe getopt_long(count, &vector, letters, table, nil)
      if value == -1 { break }
      if value == CInt(UInt8(ascii: "h")) {
        options.append((.help, nil))
        continue
      }
      guard value >= Self.firstValue else {
        let word = unsafe Self.text(vector[Int(imgate_getopt_next()) - 1])
        throw failure(value, word: word)
      }
      let name = known[Int(value - Self.firstValue)].name
      if name != .help, options.contains(where: { $0.name == name }) {
        throw UsageError(command, "\(name.text) is given twice")
      }
      // The value lies in the vector's own copies; it is copied again here.
      let argument = unsafe imgate_getopt_argument()
      options.append((name, unsafe argument.map { unsafe String(cString: $0) }))
    }
    var operands: [String] = []
    for i in Int(imgate_getopt_next())..<Int(count) {
      operands.append(unsafe Self.text(vector[i]))
    }
    return operands
  }

  // Above every letter that getopt itself returns.
  private static let firstValue: CInt = 1000

  private func failure(_ value: CInt, word: String) -> UsageError {
    let letter = imgate_getopt_letter()
    if letter >= Self.firstValue {
      let option = known[Int(letter - Self.firstValue)]
      if value == CInt(UInt8(ascii: ":")) {
        return UsageError(command, "\(option.name.text) needs a value: \(option.placeholder ?? "")")
      }
      return UsageError(command, "\(option.name.text) takes no value, but got '\(word)'")
    }
    if letter != 0 {
      let short = String(decoding: [UInt8(truncatingIfNeeded: letter)], as: UTF8.self)
      return UsageError(command, "there is no option '-\(short)'")
    }
    let typed = String(word.prefix { $0 != "=" })
    let matches = known.filter { $0.name.text.hasPrefix(typed) }
    if matches.count > 1 {
      let names = matches.map { $0.name.text }.joined(separator: " or ")
      return UsageError(command, "'\(typed)' may mean \(names)")
    }
    let names = known.map { $0.name.text }
    if let near = Spelling.nearest(to: typed, in: names) {
      return UsageError(command, "there is no option '\(typed)'; did you mean '\(near)'?")
    }
    return UsageError(command, "there is no option '\(typed)'")
  }

  private static func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
    guard let pointer = unsafe pointer else { return "" }
    return unsafe String(cString: pointer)
  }
}
