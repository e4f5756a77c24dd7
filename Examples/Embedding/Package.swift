// swift-tools-version: 6.2
import PackageDescription

// A program of its own that uses Weir's engine as a library, the way any other package would.
let package = Package(
    name: "Embedding",
    dependencies: [.package(name: "weir", path: "../..")],
    targets: [
        .executableTarget(
            name: "Embedding",
            dependencies: [.product(name: "WeirStream", package: "weir")],
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]
        )
    ]
)
