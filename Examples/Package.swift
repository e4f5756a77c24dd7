// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

// Programs of their own that use Weir's libraries the way any other package would.
let package = Package(
    name: "Examples",
    dependencies: [
        .package(name: "weir", path: ".."),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.5.0"),
    ],
    targets: [
        // The engine in a program: hooks that count, limit, look clients up and choose the upstream,
        // a policy of its own, and those of Weir.
        .executableTarget(
            name: "Embedding",
            dependencies: [
                "Loopback",
                .product(name: "WeirStream", package: "weir"),
                .product(name: "WeirBalance", package: "weir"),
            ],
            path: "Embedding",
            swiftSettings: settings),
        // Rules and limits for a stream: who may come in, and how much of it one client gets.
        .executableTarget(
            name: "Access",
            dependencies: [
                "Loopback",
                .product(name: "WeirStream", package: "weir"),
                .product(name: "WeirAccess", package: "weir"),
            ],
            path: "Access",
            swiftSettings: settings),
        // Plain sockets: the servers and clients of both.
        .target(name: "Loopback", path: "Loopback", swiftSettings: settings),
        // The registry and the exporter in a program that is no proxy, with metrics of its own and of swift-metrics.
        .executableTarget(
            name: "Jobs",
            dependencies: [
                .product(name: "WeirMetrics", package: "weir"),
                .product(name: "WeirExporter", package: "weir"),
                .product(name: "WeirSwiftMetrics", package: "weir"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            path: "Jobs",
            swiftSettings: settings),
    ]
)
