// swift-tools-version: 6.2
import PackageDescription

// Arrows between modules point down only (README.md, "The house").

// scripts/test sets this; a newcomer's other compiler may warn of what ours does not.
let settings: [SwiftSetting] =
    Context.environment["EDDY_WARNINGS"] == "errors" ? [.treatAllWarnings(as: .error)] : []

let package = Package(
    name: "eddy",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Backprop", targets: ["Backprop"]),
        .library(name: "Eddy", targets: ["Eddy"]),
        .library(name: "EddyCombine", targets: ["EddyCombine"]),
        .library(name: "EddyServer", targets: ["EddyServer"]),
        .executable(name: "eddy", targets: ["EddyCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.1.4"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/OpenCombine/OpenCombine", from: "0.14.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Training steps in C vector extensions, one body for every instruction set.
        .target(name: "CBackpropKernels", exclude: ["body"]),

        // The mathematics: synchronous, deterministic, no clock, no input or output.
        .target(name: "Backprop", dependencies: ["CBackpropKernels"]),

        // What people embed: samples, learner, pipeline, models. Neither NIO nor a web server.
        .target(
            name: "Eddy",
            dependencies: [
                "Backprop",
                .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
                .product(name: "Logging", package: "swift-log"),
            ]),

        // OpenCombine on both sides of a session.
        .target(
            name: "EddyCombine",
            dependencies: [
                "Eddy", .product(name: "OpenCombine", package: "OpenCombine"),
                .product(name: "OpenCombineDispatch", package: "OpenCombine"),
            ]),

        // The dashboard's files and openapi.json, embedded in the binary.
        .target(name: "CWebAssets", exclude: ["Dashboard", "openapi.json"]),

        // The TCP feed and the web side.
        .target(
            name: "EddyServer",
            dependencies: [
                "CWebAssets", "Eddy",
                .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),

        // The command line.
        .executableTarget(
            name: "EddyCommand",
            dependencies: [
                "Eddy", "EddyCombine", "EddyServer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "OpenCombine", package: "OpenCombine"),
                .product(name: "OpenCombineFoundation", package: "OpenCombine"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),

        .testTarget(name: "BackpropTests", dependencies: ["Backprop"], resources: [.copy("Fixtures")]),
        .testTarget(
            name: "EddyTests",
            dependencies: ["Eddy", .product(name: "AsyncAlgorithms", package: "swift-async-algorithms")],
            resources: [.copy("Fixtures")]),
        .testTarget(
            name: "EddyCombineTests",
            dependencies: [
                "Eddy", "EddyCombine",
                .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
                .product(name: "OpenCombine", package: "OpenCombine"),
                .product(name: "OpenCombineFoundation", package: "OpenCombine"),
            ]),
        .testTarget(
            name: "EddyServerTests",
            dependencies: [
                "EddyServer",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)

// Programs that show how to embed Eddy. Only scripts/test builds them, beside everything else:
// `EDDY_EXAMPLES=1 swift run EmbedForAwait`.
if Context.environment["EDDY_EXAMPLES"] != nil {
    let examples = [
        "CustomSource", "EmbedForAwait", "EmbedOpenCombine", "PredictionsOnly", "PublisherForms", "SaveAndLoad",
    ]
    for example in examples {
        package.targets.append(
            .executableTarget(
                name: example,
                dependencies: [
                    "Eddy", "EddyCombine", .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
                ],
                path: "Tests/Examples/\(example)"))
    }
}

for target in package.targets where target.type != .system { target.swiftSettings = settings }
