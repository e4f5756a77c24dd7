// swift-tools-version: 6.2
import PackageDescription

// Micro-benchmarks of the registry. What compresses pages is no product: its file is linked in together with the module
// of zlib, so that the measured code is the code that serves.
let zlibModule = "-fmodule-map-file=\(Context.packageDirectory)/../../Sources/CZlib/module.modulemap"

let package = Package(
    name: "Registry",
    dependencies: [.package(name: "weir", path: "../..")],
    targets: [
        .target(name: "CMeasures"),
        .executableTarget(
            name: "Registry",
            dependencies: [.product(name: "WeirMetrics", package: "weir"), "CMeasures"],
            swiftSettings: [
                .swiftLanguageMode(.v6), .treatAllWarnings(as: .error), .unsafeFlags(["-Xcc", zlibModule]),
            ]
        ),
    ]
)
