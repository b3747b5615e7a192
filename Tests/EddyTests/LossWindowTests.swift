// A window's course: its parts cover it exactly, however many windows were merged.

import Foundation
import Testing

@testable import Eddy

@Suite struct LossWindowTests {
    private func session() async throws -> (LearningSession, [Sample]) {
        var random = SeededRandom(seed: 5)
        let samples = (0..<1000).map { _ in
            let x = random.uniform(in: -1...1)
            return Sample([x, random.uniform(in: -1...1)], label: .text(x > 0 ? "right" : "left"))
        }
        return (try LearningSession(), samples)
    }

    private func check(_ window: LossWindow, covers losses: ArraySlice<Float>) {
        #expect(window.parts.count <= LossWindow.partLimit)
        #expect(window.parts.reduce(0) { $0 + $1.count } == window.count)
        #expect(window.parts.last?.step == window.step)
        var end = losses.startIndex
        for part in window.parts {
            let span = losses[end..<end + part.count]
            end += part.count
            #expect(part.step == UInt64(end))
            #expect(abs(part.mean - span.reduce(0) { $0 + Double($1) } / Double(span.count)) < 1e-9)
            #expect(part.min == Double(span.min()!) && part.max == Double(span.max()!))
        }
        #expect(end == losses.endIndex)
        #expect(window.min == window.parts.map(\.min).min() && window.max == window.parts.map(\.max).max())
    }

    @Test func samplesThatComeAtOnce_stillShowACourse() async throws {
        let (session, samples) = try await session()
        var windows = session.losses.makeAsyncIterator()
        let steps = await session.learn(try SampleChunk(samples)).steps
        let window = try #require(await windows.next())
        #expect(window.parts.count == 16)
        check(window, covers: steps.losses[...])
    }

    @Test func mergedWindows_keepAllSamplesInBoundedParts() async throws {
        let (session, samples) = try await session()
        var windows = session.losses.makeAsyncIterator()
        var losses: [Float] = []
        var first = 0
        for length in [1, 2, 3, 50, 7, 400, 1, 1, 200, 335] {
            losses += await session.learn(try SampleChunk(samples[first..<first + length])).steps.losses
            first += length
        }
        let window = try #require(await windows.next())
        #expect(window.missed == 9 && window.count == 1000)
        check(window, covers: losses[...])
    }

    @Test func aLoneSample_isOnePart() async throws {
        let (session, samples) = try await session()
        var windows = session.losses.makeAsyncIterator()
        let steps = try await session.learn(samples[0]).steps
        check(try #require(await windows.next()), covers: steps.losses[...])
    }
}
