// swift-tools-version: 6.1
import PackageDescription

// Arrows between modules point down only; Sources/README-like prose lives in README.md, "The house".
let package = Package(
    name: "eddy",
    platforms: [.macOS(.v15)],
    products: [.library(name: "Backprop", targets: ["Backprop"])],
    targets: [
        // The mathematics: synchronous, deterministic, no clock, no input or output.
        .target(name: "Backprop"),
        .testTarget(name: "BackpropTests", dependencies: ["Backprop"], resources: [.copy("Fixtures")]),
    ],
    swiftLanguageModes: [.v6]
)
