internal import System

/// The file that keeps what the kernel's settings were before the gateway changed them.
enum KernelSettingsRecord {
  /// It lies beside the usage store, since both must outlive a restart of the box.
  static func path(store: String) -> String {
    (Path.directory(of: store) ?? ".") + "/kernel-settings"
  }
}
