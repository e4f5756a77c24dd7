// swift-tools-version: 6.2
import PackageDescription

// Micro-benchmarks of the choice among upstreams. The clock and the table are files of the registry's benchmark.
let package = Package(
    name: "Balance",
    dependencies: [.package(name: "weir", path: "../..")],
    targets: [
        .executableTarget(
            name: "Balance",
            dependencies: [
                .product(name: "WeirBalance", package: "weir"), .product(name: "WeirStream", package: "weir"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]
        )
    ]
)
