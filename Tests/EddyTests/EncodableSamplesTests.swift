// Encodable values as samples: what each type means, and that a value learns what its line of JSON does.

import AsyncAlgorithms
import Foundation
import Testing

@testable import Eddy

private struct Reading: Codable, Sendable {
    struct Air: Codable, Sendable {
        var temperature: Double
        var humidity: Double?
    }
    enum Kind: String, Codable, Sendable { case home, office }
    enum Floor: Int, Codable, Sendable { case ground, first }

    var hour: Date
    var kind: Kind
    var floor: Floor
    var air: Air
    var open: Bool
    var lags: [Double]
    var load: Double?

    init(_ number: Int) {
        hour = Date(timeIntervalSince1970: 1_714_521_600 + Double(number) * 3_600)
        kind = number % 3 == 0 ? .office : .home
        floor = number % 2 == 0 ? .ground : .first
        air = Air(temperature: 20 + Double(number % 24) / 3, humidity: number % 4 == 0 ? nil : Double(number % 9))
        open = number % 5 == 0
        lags = [Double(number % 7) / 7, -Double(number % 11)]
        load = number % 10 == 9 ? nil : Double(number % 24) * 0.1 + 1e-3
    }

    /// The line as someone writes it who does not use this.
    var line: String {
        func text(_ number: Double?) -> String { number.map { "\($0)" } ?? "null" }
        let day = hour.formatted(.iso8601)
        return #"{"hour":"\#(day)","kind":"\#(kind.rawValue)","floor":\#(floor.rawValue),"#
            + #""air.temperature":\#(air.temperature),"air.humidity":\#(text(air.humidity)),"open":\#(open),"#
            + #""lags.0":\#(lags[0]),"lags.1":\#(lags[1]),"load":\#(text(load))}"# + "\n"
    }
}

private func decoded<Value: Encodable & Sendable>(_ values: [Value], label: String = "label") -> DecodedChunk {
    var decoder = EncodedDecoder<Value>(label: .name(label), schema: SchemaClaim())
    return decoder.decode(values)
}

private func learned<Value: Encodable & Sendable>(
    _ values: [Value], label: String = "label", by session: LearningSession
) async throws -> [LearnedChunk] {
    var chunks: [LearnedChunk] = []
    for try await chunk in values.async.learned(by: session, label: label) { chunks.append(chunk) }
    return chunks
}

/// How many values were learned.
private func steps<Value: Encodable & Sendable, Label: Encodable & Sendable>(
    _ values: [Value], _ label: any KeyPath<Value, Label> & Sendable
) async throws -> UInt64 {
    let session = try LearningSession()
    for try await _ in values.async.learned(by: session, label: label) {}
    return await session.step
}

@Suite struct EncodableSamplesTests {
    private let readings = (1...400).map(Reading.init)

    // MARK: The same as JSON lines

    /// Weights after the JSON lines of the same values.
    private func hashOfLines() async throws -> UInt64? {
        let session = try LearningSession()
        let bytes = readings.map { Array($0.line.utf8) }.async
        for try await chunk in bytes.samples(of: .json, label: .name("load"), for: session).learned(by: session) {
            #expect(chunk.rejections.isEmpty)
        }
        #expect(await session.step == 360)
        return await session.snapshot().parameterHash
    }

    @Test func values_learnTheWeightsOfTheirJSONLines_toTheBit() async throws {
        let expected = try #require(try await hashOfLines())
        let byName = try LearningSession()
        for try await _ in readings.async.learned(by: byName, label: "load") {}
        let byKeyPath = try LearningSession()
        for try await _ in readings.async.learned(by: byKeyPath, label: \.load) {}
        let inArrays = try LearningSession()
        for try await _ in readings.async.chunks(ofCount: 37).learned(by: inArrays, label: \.load) {}
        for session in [byName, byKeyPath, inArrays] {
            #expect(await session.snapshot().parameterHash == expected)
            #expect(await session.step == 360)
            #expect(await session.sampleCounts.predicted == 40)
        }
    }

    /// Foundation's encoder writes the same flat values, in another order.
    @Test func flatValues_learnWhatFoundationsJSONTeaches() async throws {
        struct Flat: Codable { var a: Float, b: Double, c: Int8, text: String, label: String }
        let texts = ["a \"b\"", "c\\d", "é\n", "x"]
        let values = (0..<200).map { number -> Flat in
            let root = Double(number).squareRoot() / 7
            return Flat(
                a: Float(number) / 3, b: root, c: Int8(number % 100), text: texts[number % 4],
                label: number % 2 == 0 ? "yes" : "no")
        }
        let encoder = JSONEncoder()
        let lines = try values.map { value -> [UInt8] in
            let object = try #require(
                try JSONSerialization.jsonObject(with: encoder.encode(value)) as? [String: Any])
            #expect(object.count == 5)
            let text = try ["a", "b", "c", "text", "label"].map { key in
                let pair = try encoder.encode([key: AnyEncodable(value, key)])
                return String(decoding: pair.dropFirst().dropLast(), as: UTF8.self)
            }
            return Array("{\(text.joined(separator: ","))}\n".utf8)
        }
        let (one, other) = (try LearningSession(), try LearningSession())
        for try await chunk in lines.async.samples(for: one).learned(by: one) { #expect(chunk.rejections.isEmpty) }
        for try await _ in values.async.learned(by: other, label: \.label) {}
        let hash = await one.snapshot().parameterHash
        #expect(await other.snapshot().parameterHash == hash)
        #expect(await other.step == 200)

        struct AnyEncodable: Encodable {
            let value: Flat
            let key: String
            init(_ value: Flat, _ key: String) { (self.value, self.key) = (value, key) }
            func encode(to encoder: any Encoder) throws {
                switch key {
                case "a": try value.a.encode(to: encoder)
                case "b": try value.b.encode(to: encoder)
                case "c": try value.c.encode(to: encoder)
                case "text": try value.text.encode(to: encoder)
                default: try value.label.encode(to: encoder)
                }
            }
        }
    }

    // MARK: What types mean

    /// The docstring's example.
    @Test func columns_areTheFirstValuesFields_inTheirOrder() async throws {
        let session = try LearningSession()
        for try await learned in readings.async.learned(by: session, label: \.load) { #expect(learned.count == 1) }
        let schema = try #require(session.schema.current)
        #expect(
            schema.columns.map(\.name) == [
                "hour", "kind", "floor", "air.temperature", "air.humidity", "open", "lags.0", "lags.1",
            ])
        #expect(schema.columns.map(\.kind) == [.time, .text, .number, .number, .number, .number, .number, .number])
        #expect(schema.label == "load")
    }

    @Test func aFieldThatIsNilAtFirst_isAColumn() async throws {
        struct Value: Encodable { var a: Double?, b: Int?, label: Int }
        let chunk = decoded([Value(a: nil, b: 1, label: 0), Value(a: 2.5, b: nil, label: 1)])
        #expect(chunk.proposal?.schema.columns.map(\.name) == ["a", "b"])
        #expect(chunk.samples.features[0].isNaN && chunk.samples.features[1] == 1)
        #expect(chunk.samples.features[2] == 2.5 && chunk.samples.features[3].isNaN)
    }

    @Test func namesOfCodingKeys_areThoseOfColumns() {
        struct Value: Encodable {
            var peak = 1.0, label = 2
            enum CodingKeys: String, CodingKey { case peak = "peak_load", label }
        }
        #expect(decoded([Value()]).proposal?.schema.columns.map(\.name) == ["peak_load"])
    }

    @Test func dictionariesAndOtherTypes() {
        struct Value: Encodable {
            var counts = ["b": 2, "a": 1, "c": 3]
            var places = [2: 0.5, 1: 0.25]
            var small: Float = 0.1
            var large = UInt64.max
            var price = Decimal(string: "12.75")!
            var link = URL(string: "https://example.org/x")!
            var id = UUID(uuidString: "6B29FC40-CA47-1067-B31D-00DD010662DA")!
            var matrix = [[1, 2], [3]]
            var label = true
        }
        let chunk = decoded([Value()])
        #expect(chunk.events.isEmpty)
        #expect(
            chunk.proposal?.schema.columns.map(\.name) == [
                "counts.a", "counts.b", "counts.c", "places.1", "places.2", "small", "large", "price", "link",
                "matrix.0.0", "matrix.0.1", "matrix.1.0",
            ])
        #expect(chunk.samples.features == [1, 2, 3, 0.25, 0.5, 0.1, Float(UInt64.max), 12.75, 1, 2, 3])
        #expect(chunk.samples.terms.names.values.contains("link=https://example.org/x"))
        #expect(chunk.samples.identifiers == [0: "6B29FC40-CA47-1067-B31D-00DD010662DA"])
        #expect(chunk.samples.labels == ["true"])
    }

    @Test func casesOfEnums() {
        enum Weather: Encodable { case sun, rain(millimetres: Double) }
        struct Value: Encodable { var weather: Weather, label = 1 }
        let sun = decoded([Value(weather: .sun), Value(weather: .rain(millimetres: 3))])
        #expect(sun.proposal?.schema.columns.map(\.name) == ["weather.sun"])
        #expect(sun.samples.features[0] == 1 && sun.samples.features[1].isNaN)
        #expect(sun.samples.terms.names.values.contains("weather.rain.millimetres"))
    }

    @Test func classesAndInheritance() {
        class Base: Encodable { var a = 1 }
        final class Derived: Base, @unchecked Sendable {
            var label = 7
            enum CodingKeys: CodingKey { case label }
            override func encode(to encoder: any Encoder) throws {
                var values = encoder.container(keyedBy: CodingKeys.self)
                try super.encode(to: values.superEncoder())
                try values.encode(label, forKey: .label)
            }
        }
        let chunk = decoded([Derived()])
        #expect(chunk.proposal?.schema.columns.map(\.name) == ["super.a"] && chunk.samples.labels == [7])
    }

    @Test(arguments: [
        0, 1, -1, 951_782_400, 951_868_799.5, 1_709_164_800, 4_102_444_800, -2_208_988_800, -11_000_000_000,
        253_402_300_799, 1_714_566_896.789,
    ])
    func dates_areWrittenAsFoundationWritesThem(seconds: Double) throws {
        let date = Date(timeIntervalSince1970: seconds)
        let text = try #require(DateTime.text(date))
        let whole = date.formatted(.iso8601)
        #expect(text.prefix(19) == whole.prefix(19) && text.hasSuffix("Z"))
        #expect(text == whole || text.dropFirst(19).hasPrefix("."))
    }

    // MARK: Labels

    @Test func labels_mayBeNested_namedOrByKeyPath() async throws {
        for byName in [true, false] {
            let session = try LearningSession()
            if byName {
                for try await _ in readings.async.learned(by: session, label: "air.temperature") {}
            } else {
                for try await _ in readings.async.learned(by: session, label: \.air.temperature) {}
            }
            #expect(await session.step == 400)
            #expect(session.schema.current?.label == "air.temperature")
            #expect(session.schema.current?.columns.contains { $0.name == "air.temperature" } == false)
        }
    }

    @Test func keyPathsOfEveryKindOfLabel() async throws {
        struct Inner: Encodable, Sendable { var kind: Reading.Kind? }
        struct Value: Encodable, Sendable {
            var x: Double
            var flag: Bool
            var name: String
            let constant: Int
            var inner: Inner?
        }
        let values = (0..<20).map { number -> Value in
            Value(
                x: Double(number), flag: number % 2 == 0, name: number % 2 == 0 ? "a" : "b", constant: number % 3,
                inner: number == 0 ? nil : Inner(kind: number % 2 == 0 ? .home : .office))
        }
        #expect(try await steps(values, \.flag) == 20)
        #expect(try await steps(values, \.name) == 20)
        #expect(try await steps(values, \.constant) == 20)
        #expect(try await steps(values, \.inner?.kind) == 19)
    }

    @Test func aKeyPathThatIsNoFieldOfItsName_stopsTheProgram() async {
        await #expect(processExitsWith: .failure) {
            struct Value: Encodable, Sendable {
                var x = 1.0
                var double: Double { 2 * x }
            }
            let session = try LearningSession()
            for try await _ in [Value()].async.learned(by: session, label: \.double) {}
        }
        await #expect(processExitsWith: .failure) {
            struct Value: Encodable, Sendable {
                var x = 1.0
                var peak = 2.0
                enum CodingKeys: String, CodingKey { case x, peak = "peak_load" }
            }
            let session = try LearningSession()
            for try await _ in [Value()].async.learned(by: session, label: \.peak) {}
        }
    }

    // MARK: What cannot be a sample

    @Test func whatCannotBeASample_isARejection_andItsNeighboursAreLearned() async throws {
        struct Value: Encodable, Sendable {
            var x: Double
            var load: Double
            var fails = false
            enum CodingKeys: CodingKey { case x, load }
            func encode(to encoder: any Encoder) throws {
                if fails { throw CocoaError(.coderInvalidValue) }
                var values = encoder.container(keyedBy: CodingKeys.self)
                try values.encode(x, forKey: .x)
                try values.encode(load, forKey: .load)
            }
        }
        let values = [
            Value(x: 1, load: .nan), Value(x: 1, load: 2), Value(x: .infinity, load: 2), Value(x: 2, load: 3),
            Value(x: 0, load: 0, fails: true), Value(x: 1e300, load: 1), Value(x: .nan, load: 4),
        ]
        let session = try LearningSession()
        let chunks = try await learned(values, label: "load", by: session)
        #expect(chunks.map(\.learned) == [0, 1, 0, 1, 0, 0, 1])
        #expect(chunks.flatMap(\.rejections).map(\.line) == [1, 3, 5, 6])
        #expect(chunks[0].rejections.first?.code == .label)
        #expect(chunks[2].rejections.first?.field == "x")
        let arrays = try LearningSession()
        for try await chunk in [values].async.learned(by: arrays, label: "load") {
            #expect(chunk.learned == 3 && chunk.rejections.map(\.line) == [1, 3, 5, 6])
        }
        let hash = await session.snapshot().parameterHash
        #expect(await arrays.snapshot().parameterHash == hash)
    }

    @Test func valuesWithoutFields_areRejected() async throws {
        struct Empty: Encodable, Sendable {}
        let session = try LearningSession()
        #expect(try await learned([Empty()], by: session)[0].rejections.count == 1)
        #expect(try await learned([1.5, 2], by: session).allSatisfy { $0.rejections.first?.code == .format })
        #expect(try await learned(["1,2,3"], by: session)[0].rejections.first?.got == "1,2,3")
        #expect(try await learned([[String: Int]()], by: session)[0].rejections.count == 1)
        #expect(session.schema.current == nil)
        #expect(await session.step == 0)
        #expect(try await learned([["x": 1, "label": 2]], by: session)[0].learned == 1)
    }

    @Test func aDateOutOfRange_isRejected() async throws {
        struct Value: Encodable, Sendable { var when: Date, label = 1 }
        let session = try LearningSession()
        let dates = [Date(timeIntervalSince1970: .nan), Date(timeIntervalSince1970: 1e15), Date()]
        let chunks = try await learned(dates.map { Value(when: $0) }, by: session)
        #expect(chunks.map(\.rejections.count) == [1, 1, 0])
        #expect(chunks[0].rejections[0].field == "when")
    }

    // MARK: Predicting

    @Test func predicting_ignoresTheLabel_andChangesNothing() async throws {
        let session = try LearningSession()
        for try await _ in readings.async.learned(by: session, label: \.load) {}
        let before = await session.snapshot().parameterHash
        var answers: [Prediction?] = []
        for try await answer in readings.prefix(20).async.predicted(by: session) {
            #expect(answer.rejections.isEmpty && answer.learned == 0)
            answers.append(answer.prediction(at: 0))
        }
        var others = Array(readings.prefix(20))
        for index in others.indices { others[index].load = 1e6 }
        var again: [Prediction?] = []
        for try await answer in [others].async.predicted(by: session) {
            again = (0..<answer.count).map { answer.prediction(at: $0) }
        }
        #expect(answers == again && answers.allSatisfy { $0 != nil })
        #expect(await session.snapshot().parameterHash == before)
    }
}
