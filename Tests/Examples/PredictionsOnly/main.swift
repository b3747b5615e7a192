// Ask a learner without teaching it: `predicted(by:)` changes nothing, not a weight and not a count.
//
//     EDDY_EXAMPLES=1 swift run PredictionsOnly

import AsyncAlgorithms
import Eddy

/// A customer and what they do. A label that is nil has yet to be found out.
struct Visit: Encodable, Sendable {
    enum Device: String, Encodable { case phone, desktop }

    var pages: Int
    var device: Device
    var buys: Bool?
}

func visit(_ number: Int) -> Visit {
    let pages = number * 7 % 20
    let device: Visit.Device = number % 3 == 0 ? .desktop : .phone
    return Visit(pages: pages, device: device, buys: pages > (device == .phone ? 12 : 6))
}

let session = try LearningSession()
for await _ in (0..<5_000).async.map(visit).chunks(ofCount: 50).learned(by: session, label: \.buys) {}
let before = await session.step

// The same pipeline, with another operator.
var right = 0
var asked = 0
let visits = (5_000..<5_200).map(visit)
for await answer in visits.async.predicted(by: session) {
    if case .class(let name, _)? = answer.prediction(at: 0), name == "\(visits[asked].buys!)" { right += 1 }
    asked += 1
}

print("asked \(asked), more than 9 of 10 right: \(10 * right > 9 * asked)")
print("steps before and after: \(before), \(await session.step)")
