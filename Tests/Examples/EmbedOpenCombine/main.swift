// Embed a learner with OpenCombine on both sides: a publisher of samples in, a publisher of losses out.
//
//     EDDY_EXAMPLES=1 swift run EmbedOpenCombine

import EddyCombine

let session = try LearningSession()

// Losses out. Delivered on the main queue, where the closures of this file belong.
var windows = 0
let watching = session.lossPublisher.map(\.mean).filter { $0.isFinite }.sink { _ in windows += 1 }

// Samples in. The learner asks for one array at a time, so no buffer is needed, however fast the publisher is.
let numbers = (0..<10_000).publisher
let samples = numbers.map { number in
    let x = Float(number % 100) / 50 - 1
    return Sample([x], label: .number(3 * x + 1))
}

var learned = 0
var isDone = false
let learning = samples.collect(50).learned(by: session)
    .sink(
        receiveCompletion: { _ in isDone = true },
        receiveValue: { learned += $0.learned })

while !isDone || windows == 0 { await Task.yield() }  // the main queue goes on meanwhile
print("learned \(learned)")
print("heard of losses: \(windows > 0)")
print("f(0.5) is about 2.5: \(try await session.predict([0.5]))")
