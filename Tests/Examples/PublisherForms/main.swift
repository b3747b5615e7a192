// Every way to listen to a session in Swift 6 mode, from `main.swift`, an actor and a `@MainActor` class. A closure that is
// called on the wrong thread stops this program, so the tests run it.
//
//     EDDY_EXAMPLES=1 swift run PublisherForms

import AsyncAlgorithms
import Dispatch
import Eddy
import EddyCombine

let samples = (0..<5_000).async.map { Sample([Float($0 % 10), 1], label: .number(Float($0 % 2))) }

// 1. As the documentation has it.
let session = try LearningSession()
var windows = 0
let watching = session.lossPublisher.sink { windows += $0.count }

// 2. With OpenCombine's operators.
var received = 0
var throttled = 0
var collected = 0
final class Board { var mean = 0.0 }
let board = Board()
let others = [
    session.lossPublisher.receive(on: DispatchQueue.main).sink { received += $0.count },
    session.lossPublisher.throttle(for: .milliseconds(1), scheduler: DispatchQueue.main, latest: true)
        .sink { throttled = Int($0.step) },
    session.lossPublisher.collect(3).sink { collected += $0.count },
    session.lossPublisher.map(\.mean).filter { $0 > 0 }.assign(to: \.mean, on: board),
    session.everyLossPublisher.sink(receiveCompletion: { print($0) }, receiveValue: { _ in }),
    session.snapshotPublisher.first().sink { print("snapshot", $0.step) },
    session.driftPublisher.sink { print("drift", $0.alarms.count) },
]

// 3. In an actor: the closure belongs to the actor and is called there.
actor Watcher {
    private(set) var seen = 0
    private(set) var means: [Double] = []
    private(set) var throttled: UInt64 = 0
    private var watching: [AnyCancellable] = []

    func watch(_ session: LearningSession) {
        watching = [
            session.lossPublisher.sink { window in
                self.preconditionIsolated()
                self.seen += window.count
            },
            session.lossPublisher.sink { window in Task { self.note(window.mean) } },
            session.lossPublisher(scheduling: .actor(self)).map(\.mean).filter { self.isMean($0) }.collect(2)
                .sink { self.means += $0 },
            session.lossPublisher.throttle(for: .milliseconds(1), scheduler: .actor(self), latest: true)
                .receive(on: .actor(self)).sink { self.throttled = $0.step },
        ]
    }

    private func isMean(_ value: Double) -> Bool {
        preconditionIsolated()
        return value >= 0
    }
    private func note(_ mean: Double) { means.append(mean) }
}
let watcher = Watcher()
await watcher.watch(session)

// 4. In a class of the main actor.
@MainActor final class Model {
    var latest = 0.0
    var seen = 0
    private var watching: Set<AnyCancellable> = []

    func watch(_ session: LearningSession) {
        session.lossPublisher.map(\.mean).assign(to: \.latest, on: self).store(in: &watching)
        session.lossPublisher.sink { [weak self] window in
            MainActor.preconditionIsolated()
            self?.seen += window.count
        }.store(in: &watching)
    }
}
let model = Model()
model.watch(session)

for try await _ in samples.chunks(ofCount: 50).learned(by: session) {}
while [windows, received, throttled, model.seen].min()! < 5_000 { await Task.yield() }
print("windows", windows, "received", received, "mean", board.mean > 0, "collected", collected > 0)
print("model", model.seen, model.latest > 0)
while await watcher.seen < 5_000 { await Task.yield() }
print("actor", await watcher.seen, await watcher.means.isEmpty, await watcher.throttled > 0)

// 5. Publishers on both sides.
let other = try LearningSession()
var taught = 0
var isDone = false
let feeding = (0..<500).publisher.map { Sample([Float($0 % 10), Float(taught * 0)], label: .number(Float($0 % 2))) }
    .collect(10).learned(by: other)
    .map { $0.learned + taught * 0 }
    .sink(receiveCompletion: { _ in isDone = true }, receiveValue: { taught += $0 })
while !isDone { await Task.yield() }
print("taught", taught)

let subscriber = LearningSubscriber<Sample, Never>(other)
(0..<200).publisher.map { Sample([Float($0 % 10), Float(taught * 0)], label: .number(Float($0 % 2))) }
    .subscribe(subscriber)
print("subscribed", await subscriber.finished().learned)

session.losses.finish()
session.everyLoss.finish()
print("done")
