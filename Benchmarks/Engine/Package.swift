// swift-tools-version: 6.2
import PackageDescription

// The engine without anybody who counts, to measure what counting costs.
let package = Package(
    name: "Engine",
    dependencies: [.package(name: "weir", path: "../..")],
    targets: [
        .executableTarget(
            name: "Engine",
            dependencies: [.product(name: "WeirStream", package: "weir")],
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]
        )
    ]
)
