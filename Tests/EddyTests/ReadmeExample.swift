// The README's example, compiled and run: what stands between the marks is in README.md word for word.

import Foundation
import Testing

// example begins
import Eddy

func learnIris(_ samples: some AsyncSequence<Sample, Never> & Sendable) async throws -> Prediction {
    let session = try LearningSession(
        inputs: 4, layers: [.dense(16, .relu), .dense(3)], loss: .crossEntropy, optimizer: .sgd(0.05))

    // Any number of subscribers; a slow one never slows learning.
    let watching = Task {
        var windows = 0
        for await window in session.losses {
            print("step \(window.step): \(window.mean) nats, baseline \(window.metrics.baseline)")
            windows += 1
        }
        return windows
    }

    for try await learned in samples.learned(by: session) {
        if let error = learned.rejections.first { print(error) }
    }
    await session.finish()
    print("\(await watching.value) windows")
    return try await session.predict([5.1, 3.5, 1.4, 0.2])
}
// example ends

private func text(_ path: String) throws -> String {
    let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    return try String(contentsOf: repository.appending(path: path), encoding: .utf8)
}

@Test func readmeExample_isThisFile_andRuns() async throws {
    let source = try text("Tests/EddyTests/ReadmeExample.swift")
    let example = try #require(
        source.split(separator: "// example begins\n").last?.split(separator: "// example ends").first)
    #expect(try text("README.md").contains("```swift\n\(example)```"))

    let lines = try text("Tests/EddyTests/Fixtures/iris.csv").split(separator: "\n").dropFirst()
    let samples = lines.map { line in
        let cells = line.split(separator: ",")
        return Sample(cells.dropLast().map { Float($0)! }, label: .text(String(cells.last!)))
    }
    let stream = AsyncStream { continuation in
        for _ in 0..<3 { for sample in samples { continuation.yield(sample) } }
        continuation.finish()
    }
    let prediction = try await learnIris(stream)
    guard case .class("setosa", let probability) = prediction else {
        Issue.record("expected setosa, got \(prediction)")
        return
    }
    #expect(probability > 0.5)
}
