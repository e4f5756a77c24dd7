// swift-tools-version: 6.2
import PackageDescription

// The engine without an observer that counts, to measure the cost of counting.
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
