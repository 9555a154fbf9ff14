internal import Arguments
internal import Configuration
internal import Policy
internal import System
internal import YAML

/// The files that say what the gateway does, read in one way by every command.
enum Inputs {
  /// The configuration at `paths.configuration`, checked.
  static func configuration(_ paths: Paths) throws(Failure) -> Configuration {
    let file = try source(paths.configuration, "configuration", option: .config)
    do throws(Diagnostics) {
      return try Configuration.load(file)
    } catch {
      throw Failure(error)
    }
  }

  /// The rules at `paths.rules` with the service packs, checked and compiled.
  static func policy(_ paths: Paths) throws(Failure) -> Policy {
    let rules = try source(paths.rules, "rules", option: .rules)
    let packs = try packs(paths)
    do throws(Diagnostics) {
      return try Policy.load(rules: rules, packs: packs)
    } catch {
      throw Failure(error)
    }
  }

  /// The usage store: `--state`, else what the configuration says.
  static func storePath(_ paths: Paths) throws(Failure) -> String {
    if let given = paths.state { return given }
    return try configuration(paths).store.path
  }

  /// The same for what must work without a good configuration, such as removing the gateway.
  static func storePathOrDefault(_ paths: Paths) -> String {
    do throws(Failure) {
      return try storePath(paths)
    } catch {
      return Paths.defaultStore
    }
  }

  /// A file that a person wrote.
  static func source(
    _ path: String, _ purpose: String, option: OptionName? = nil
  ) throws(Failure) -> SourceFile {
    do throws(SystemError) {
      return SourceFile(path: path, bytes: try File.read(path))
    } catch {
      throw Failure(reading: path, purpose, error, option: option)
    }
  }

  /// Every service pack of the one directory that counts: what `--packs` names; else that of an
  /// installation; else `services` beside the rules file, as in the source tree.
  static func packs(_ paths: Paths) throws(Failure) -> [SourceFile] {
    let directory = try packDirectory(paths)
    let names: [String]
    do throws(SystemError) {
      names = try Directory.entries(directory)
    } catch {
      throw Failure(reading: directory, "service packs", error, option: .packs)
    }
    var packs: [SourceFile] = []
    for name in names where name.hasSuffix(".yaml") {
      packs.append(try source("\(directory)/\(name)", "service pack"))
    }
    return packs
  }

  private static func packDirectory(_ paths: Paths) throws(Failure) -> String {
    if let given = paths.packs { return given }
    let beside = (Path.directory(of: paths.rules) ?? ".") + "/services"
    for candidate in [Paths.defaultPacks, beside] where Directory.exists(candidate) {
      return candidate
    }
    throw Failure(
      .badInput,
      "imgate: error: no service packs: neither \(Paths.defaultPacks) nor \(beside) is there; "
        + "name their directory with --packs")
  }
}

extension Failure {
  /// Files with errors, one a line; warnings stand among them.
  init(_ diagnostics: Diagnostics) {
    var text = diagnostics.text
    // Standard error's own line feed comes behind it.
    if text.utf8.last == UInt8(ascii: "\n") { text.removeLast() }
    self.init(.badInput, text)
  }
}
