import LinuxIO

/// The version and the source of this program: `weir version`, and the labels of `weir_build_info`.
public struct BuildInformation: Sendable {
    /// The release.
    public let version: String
    /// The commit; `unknown` where it was built outside a repository.
    public let revision: String
    /// The compiler.
    public let swift: String

    /// The information of this program.
    public static let current = BuildInformation(version: "0.2.0", revision: BuildRevision.text, swift: compiler)

    private static var compiler: String {
        #if compiler(>=6.5)
        "6.5 or later"
        #elseif compiler(>=6.4)
        "6.4"
        #elseif compiler(>=6.3)
        "6.3"
        #else
        "6.2"
        #endif
    }
}
