// swift-tools-version: 6.2
import PackageDescription

/// Every module of Weir: Swift 6, no warning left, and every unsafe construct spelled out.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// For modules that run once for a start or a reload: small code, because the program is kept small as a whole. The
/// libraries that others use cannot have it: a package with such flags may not be depended on.
let compact: [SwiftSetting] = strict + [.unsafeFlags(["-Osize"], .when(configuration: .release))]

/// Tests run in the same language mode, but may touch pointers without ceremony.
let testing: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
]

/// The commit that is built, for `weir version` and `weir_build_info`.
let revision =
    Context.gitInformation.map { git in
        String(git.currentCommit.prefix(12)) + (git.hasUncommittedChanges ? "-dirty" : "")
    } ?? "unknown"

let package = Package(
    name: "weir",
    products: [
        .library(name: "WeirMetrics", targets: ["WeirMetrics"]),
        .library(name: "WeirSwiftMetrics", targets: ["WeirSwiftMetrics"]),
        .library(name: "WeirExporter", targets: ["WeirExporter"]),
        .library(name: "WeirStream", targets: ["WeirStream"]),
        .library(name: "WeirBalance", targets: ["WeirBalance"]),
        .library(name: "WeirAccess", targets: ["WeirAccess"]),
        .executable(name: "weir", targets: ["weir"]),
    ],
    traits: [
        .trait(name: "GeoIP", description: "Access rules by country and time zone, through libmaxminddb."),
        .trait(name: "Docker", description: "Routes from the labels of containers, through libcurl."),
        .trait(name: "TLS", description: "TLS on either side, through OpenSSL."),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.5.0"),
    ],
    targets: [
        .target(
            name: "CLinux",
            cSettings: [.define("_GNU_SOURCE"), .define("WEIR_REVISION", to: "\"\(revision)\"")]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CCrypt", pkgConfig: "libcrypt", providers: [.apt(["libcrypt-dev"])]),
        .systemLibrary(name: "CMaxMindDB", pkgConfig: "libmaxminddb", providers: [.apt(["libmaxminddb-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        // Without the trait its functions have no bodies, and nothing calls them.
        .target(
            name: "CTLS", dependencies: [.target(name: "COpenSSL", condition: .when(traits: ["TLS"]))],
            cSettings: [.define("WEIR_TLS", .when(traits: ["TLS"]))]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .target(name: "NetworkTypes", swiftSettings: strict),
        .target(name: "CommandInterface", swiftSettings: compact),
        .target(name: "YAMLEvents", dependencies: ["CYAML"], swiftSettings: compact),
        .target(name: "Threading", swiftSettings: strict),
        .target(name: "LinuxIO", dependencies: ["NetworkTypes", "Threading", "CLinux"], swiftSettings: strict),
        .target(name: "WeirMetrics", dependencies: ["Threading"], swiftSettings: strict),
        .target(
            name: "WeirSwiftMetrics",
            dependencies: ["Threading", "WeirMetrics", .product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: strict),
        .target(name: "WeirStream", dependencies: ["NetworkTypes", "Threading", "LinuxIO"], swiftSettings: strict),
        .target(name: "WeirHealth", dependencies: ["NetworkTypes", "Threading", "LinuxIO"], swiftSettings: strict),
        .target(
            name: "WeirBalance", dependencies: ["NetworkTypes", "Threading", "LinuxIO", "WeirStream"],
            swiftSettings: strict),
        .target(
            name: "WeirAccess",
            dependencies: [
                "NetworkTypes", "Threading", "LinuxIO", "WeirStream",
                .target(name: "CMaxMindDB", condition: .when(traits: ["GeoIP"])),
            ],
            swiftSettings: strict),
        .target(
            name: "WeirTLS", dependencies: ["NetworkTypes", "Threading", "LinuxIO", "CTLS"], swiftSettings: strict),
        .target(
            name: "WeirAgent",
            dependencies: ["NetworkTypes", "Threading", "LinuxIO", "WeirStream", "WeirTLS", "CTLS"],
            swiftSettings: strict),
        .target(
            name: "WeirExporter",
            dependencies: ["NetworkTypes", "Threading", "LinuxIO", "WeirMetrics", "CZlib", "CCrypt"],
            swiftSettings: strict),
        .target(
            name: "WeirConfiguration", dependencies: ["NetworkTypes", "WeirHealth", "YAMLEvents"],
            swiftSettings: compact),
        .target(
            name: "WeirDocker",
            dependencies: [
                "NetworkTypes", "Threading", "LinuxIO", "WeirConfiguration",
                .target(name: "CCurl", condition: .when(traits: ["Docker"])),
            ],
            swiftSettings: compact),
        .target(
            name: "WeirProxy",
            dependencies: [
                "NetworkTypes", "WeirConfiguration", "WeirDocker", "WeirStream", "WeirBalance", "WeirHealth",
                "WeirAccess",
                "WeirExporter", "WeirMetrics", "LinuxIO", "Threading",
                .target(name: "WeirTLS", condition: .when(traits: ["TLS"])),
                .target(name: "WeirAgent", condition: .when(traits: ["TLS"])),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "weir",
            dependencies: ["WeirProxy", "WeirConfiguration", "CommandInterface", "Threading"],
            swiftSettings: compact,
            // For size: no plug-in asks for the program's symbols, equal functions whose addresses are not compared are
            // one, and relocations are packed, which glibc 2.36 reads (Debian 12).
            linkerSettings: [
                .unsafeFlags(
                    [
                        "-use-ld=lld", "-Xlinker", "--no-export-dynamic", "-Xlinker", "--icf=safe", "-Xlinker", "-z",
                        "-Xlinker", "pack-relative-relocs",
                    ], .when(configuration: .release))
            ]
        ),

        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: testing),
        .testTarget(name: "ConventionTests", swiftSettings: testing),
        .testTarget(name: "ThreadingTests", dependencies: ["Threading"], swiftSettings: testing),
        .testTarget(name: "CommandInterfaceTests", dependencies: ["CommandInterface"], swiftSettings: testing),
        .testTarget(name: "YAMLEventsTests", dependencies: ["YAMLEvents"], swiftSettings: testing),
        .testTarget(name: "NetworkTypesTests", dependencies: ["NetworkTypes", "TestSupport"], swiftSettings: testing),
        .testTarget(
            name: "LinuxIOTests", dependencies: ["LinuxIO", "NetworkTypes", "Threading", "TestSupport"],
            swiftSettings: testing),
        .testTarget(
            name: "WeirMetricsTests", dependencies: ["WeirMetrics", "Threading", "TestSupport"], swiftSettings: testing),
        .testTarget(
            name: "WeirSwiftMetricsTests",
            dependencies: [
                "WeirSwiftMetrics", "WeirMetrics", "TestSupport",
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: testing),
        .testTarget(
            name: "WeirStreamTests",
            dependencies: ["WeirStream", "NetworkTypes", "Threading", "LinuxIO", "TestSupport"],
            swiftSettings: testing),
        .testTarget(
            name: "WeirBalanceTests",
            dependencies: ["WeirBalance", "WeirStream", "NetworkTypes", "Threading", "LinuxIO", "TestSupport"],
            swiftSettings: testing),
        .testTarget(
            name: "WeirHealthTests",
            dependencies: ["WeirHealth", "NetworkTypes", "LinuxIO", "TestSupport"],
            swiftSettings: testing),
        .testTarget(
            name: "WeirAccessTests",
            dependencies: ["WeirAccess", "WeirStream", "NetworkTypes", "LinuxIO", "TestSupport"],
            swiftSettings: testing),
        .testTarget(
            name: "WeirTLSTests",
            dependencies: [
                .target(name: "WeirTLS", condition: .when(traits: ["TLS"])), "WeirStream", "NetworkTypes", "LinuxIO",
                "TestSupport",
            ],
            swiftSettings: testing),
        .testTarget(
            name: "WeirAgentTests",
            dependencies: [
                .target(name: "WeirAgent", condition: .when(traits: ["TLS"])), "WeirStream", "NetworkTypes", "LinuxIO",
                "TestSupport",
            ],
            swiftSettings: testing),
        .testTarget(
            name: "WeirExporterTests",
            dependencies: [
                "WeirExporter", "WeirMetrics", "NetworkTypes", "Threading", "LinuxIO", "CZlib", "TestSupport",
            ],
            swiftSettings: testing),
        .testTarget(
            name: "WeirConfigurationTests",
            dependencies: ["WeirConfiguration", "WeirHealth", "NetworkTypes", "TestSupport"],
            swiftSettings: testing),
        .testTarget(
            name: "WeirDockerTests",
            dependencies: ["WeirDocker", "WeirConfiguration", "NetworkTypes", "Threading", "TestSupport"],
            swiftSettings: testing),
        .testTarget(
            name: "WeirProxyTests",
            dependencies: [
                "WeirProxy", "NetworkTypes", "WeirConfiguration", "WeirDocker", "WeirStream", "WeirAccess",
                "WeirExporter",
                "WeirMetrics", "LinuxIO", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: testing),
        .testTarget(name: "IntegrationTests", dependencies: ["TestSupport", "weir"], swiftSettings: testing),
    ]
)
