// Embed a learner with `for await`: samples in, losses and predictions out.
//
//     EDDY_EXAMPLES=1 swift run EmbedForAwait

import AsyncAlgorithms
import Eddy

// A stream of samples: is a point inside the circle? Any AsyncSequence of Sample will do.
let points = (0..<5_000).async.map { number in
    let x = Float(number * 37 % 199) / 99.5 - 1
    let y = Float(number * 53 % 211) / 105.5 - 1
    return Sample([x, y], label: x * x + y * y < 0.5 ? "inside" : "outside")
}

let session = try LearningSession()

// Anyone may listen. A slow listener gets fewer and larger windows, and never slows learning.
let listening = Task {
    var samples = 0
    for await window in session.losses { samples += window.count }
    return samples
}

// Each sample is predicted, scored and learned; chunks of 100 cost less than single samples.
var rejected = 0
for await learned in points.chunks(ofCount: 100).learned(by: session) {
    rejected += learned.rejections.count
}
await session.finish()

print("learned \(await session.step), rejected \(rejected), listened to \(await listening.value)")
print("centre: \(try await session.predict([0, 0]))")
print("corner: \(try await session.predict([0.9, -0.9]))")
