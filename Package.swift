// swift-tools-version: 6.3
import PackageDescription

// Two builds of one source (docs/ARCHITECTURE.md): the full runtime for tests, and Embedded Swift
// for what is shipped. IMGATE_EMBEDDED=1 selects the second; deploy/build.sh sets it.
let embedded = Context.environment["IMGATE_EMBEDDED"] == "1"

var settings: [SwiftSetting] = [
  // Readers over RawSpan are ~Escapable and need lifetime annotations (`@_lifetime`).
  .enableExperimentalFeature("Lifetimes"),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
]
var gatewayLinkerSettings: [LinkerSetting] = []

if embedded {
  // For size, which Tests/run.sh limits. First measured when the program was smaller: 4.0 MB as it
  // comes; 2.4 with a section for each function, so that the linker drops what is not used and all
  // but one copy of a specialization that several modules made; 1.6 with -Osize; 1.2 with
  // String.append called, which the optimizer else inlines at each of 1,700 interpolations, and
  // without the dynamic exclusivity checks, which Embedded Swift can't report anyway. Now: 1,481,688
  // bytes with these; 1,457,112 with what is in `notInlined` called, too, and with traps that the
  // optimizer may merge (nothing tells those of a stripped program apart); 1,424,344 with --icf=all.
  let notInlined = [
    // String's ==, and what makes a String of bytes.
    "$eSS2eeoiySbSS_SStFZ",
    "$eSS18_fromUTF8RepairingySS6result_Sb11repairsMadetSRys5UInt8VGFZ",
  ]
  settings += [
    .enableExperimentalFeature("Embedded"),
    .unsafeFlags([
      "-wmo", "-Osize", "-enforce-exclusivity=unchecked", "-Xfrontend", "-function-sections",
      "-Xllvm", "-sil-inline-never-functions=SS6append",
      "-Xllvm", "-sil-inline-never-function=\(notInlined.joined(separator: ","))",
      "-Xfrontend", "-mergeable-traps",
    ]),
  ]
  // --icf=all makes one of functions that have the same code: nothing here compares the addresses of
  // functions.
  // Embedded Swift does not follow a module map's `link` lines, so every library is named here.
  // `m` is for Dictionary, the Unicode tables are for String comparison.
  guard let runtime = Context.environment["IMGATE_EMBEDDED_RUNTIME"] else {
    fatalError(
      "IMGATE_EMBEDDED_RUNTIME must name the toolchain's usr/lib/swift/embedded/<triple>; "
        + "deploy/build.sh sets it")
  }
  gatewayLinkerSettings = [
    .unsafeFlags([
      "-Xlinker", "--as-needed", "-Xlinker", "--gc-sections", "-Xlinker", "--icf=all",
      "-L\(runtime)", "-lswiftUnicodeDataTables",
    ]),
    .linkedLibrary("m"),
    .linkedLibrary("mnl"),
    .linkedLibrary("netfilter_queue"),
    .linkedLibrary("yaml"),
    .linkedLibrary("sqlite3"),
    .linkedLibrary("pcre2-8"),
    .linkedLibrary("z"),
    .linkedLibrary("nettle"),
  ]
}

/// A module of Sources/.
func module(_ name: String, _ dependencies: Target.Dependency...) -> Target {
  .target(name: name, dependencies: dependencies)
}

/// The tests of one module; Tests/ mirrors Sources/.
///
/// `fixtures` are files beside them that aren't compiled.
func tests(
  _ name: String, _ dependencies: Target.Dependency..., fixtures: [String] = []
) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.target(name: name)] + dependencies, exclude: fixtures)
}

let package = Package(
  name: "imgate",
  products: [.executable(name: "imgate", targets: ["imgate"])],
  targets: [
    // C libraries: a module map, and a shim header for macros that Swift can't import.
    .systemLibrary(name: "CSystem"),
    .systemLibrary(
      name: "CNetfilter", providers: [.apt(["libnetfilter-queue-dev", "libmnl-dev"])]),
    .systemLibrary(name: "CYAML", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CPCRE2", providers: [.apt(["libpcre2-dev"])]),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CNettle", providers: [.apt(["nettle-dev"])]),

    // The path of a packet, bottom up: who imports whom is the architecture.
    module("System", "CSystem"),
    module("Arguments", "CSystem", "System"),
    module("Control", "System"),
    module("Wire"),
    module("Inflate", "CZlib"),
    module("Crypto", "CNettle", "Wire"),
    module("Queue", "Wire"),
    module("Capture", "CSystem", "System", "Wire"),
    module("YAML", "CYAML", "System"),
    module("Names", "System", "Wire"),
    module("Policy", "CPCRE2", "Names", "System", "Wire", "YAML"),
    module("Configuration", "Wire", "YAML"),
    module("Flow", "Crypto", "Inflate", "Names", "Policy", "Queue", "System", "Wire"),
    module("Netfilter", "CNetfilter", "CSystem", "Queue", "System", "Wire"),
    module("Firewall", "Queue", "System"),
    module("Devices", "System", "Wire"),
    module("Usage", "CSQLite", "CSystem", "System", "Wire"),
    module("Report", "CSystem", "System", "Usage", "Wire"),
    .executableTarget(
      name: "imgate",
      dependencies: [
        "Arguments", "CSystem", "Capture", "Configuration", "Control", "Devices", "Firewall",
        "Flow", "Names",
        "Netfilter", "Policy", "Queue", "Report", "System", "Usage", "Wire", "YAML",
      ],
      // Without this flag the file with the entry point is taken as a script (see Main.swift).
      swiftSettings: [.unsafeFlags(["-parse-as-library"])],
      linkerSettings: gatewayLinkerSettings),

    tests("System", "CSystem"),
    tests("Arguments", "System"),
    tests("Control", "System"),
    tests("Wire", "PacketBuilder"),
    tests("Inflate", "PacketBuilder"),
    tests("Crypto", "PacketBuilder", "Wire"),
    tests("Queue", "Wire"),
    tests("Capture", "PacketBuilder", "System", "Wire"),
    tests("YAML"),
    tests("Names", "System", "Wire"),
    tests("Policy", "Names", "PacketBuilder", "System", "Wire", "YAML"),
    tests("Configuration", "System", "Wire", "YAML"),
    tests("Flow", "CSystem", "Names", "PacketBuilder", "Policy", "Queue", "System", "Wire", "YAML"),
    tests("Netfilter", "CSystem", "Queue", "System", "Wire"),
    tests("Firewall", "CSystem", "Queue", "System", fixtures: ["Golden"]),
    tests("Devices", "System", "Wire"),
    tests("Usage", "System", "Wire"),
    tests("Report", "Policy", "System", "Usage", "Wire", fixtures: ["Golden"]),
    tests(
      "imgate", "Capture", "Configuration", "Control", "Flow", "Names", "PacketBuilder", "Policy",
      "System", "Usage", "Wire",
      "YAML"),
    // Hex fixtures and composable packets, for the tests alone.
    .target(name: "PacketBuilder", dependencies: ["CNettle", "Wire"], path: "Tests/PacketBuilder"),
  ],
  swiftLanguageModes: [.v6]
)

for target in package.targets
where target.type == .regular || target.type == .executable || target.type == .test {
  target.swiftSettings = (target.swiftSettings ?? []) + settings
}
