// The same samples in every format are the same numbers; and files as they are found, without options.

import Foundation
import Testing

@testable import Eddy

@Suite struct FormatEqualityTests {
    private static let sets = ["breast_cancer", "iris", "digits", "trump_approval", "phishing", "bananas"]

    private func text(_ label: Label) -> String {
        switch label {
        case .none: ""
        case .number(let value): value == value.rounded() ? "\(Int(value))" : "\(value)"
        case .text(let name): name
        }
    }

    @Test(arguments: sets)
    func aDataSetInOtherFormats_isTheSameNumbers(name: String) throws {
        let csv = decode(try fixture(name))
        let names = try #require(csv.schema?.inputs)
        let samples = zip(csv.rows, csv.labels)

        let json = samples.map { row, label in
            let members = zip(names, row).map { "\"\($0)\": \($1)" }.joined(separator: ", ")
            let value = if case .text(let name) = label { "\"\(name)\"" } else { text(label) }
            return "{\(members), \"label\": \(value)}\n"
        }
        let objects = decode(json.joined())
        #expect(objects.features == csv.features && objects.labels == csv.labels && objects.events.isEmpty)

        let expected = csv.rows.map { row in
            Dictionary(uniqueKeysWithValues: zip(names, row).filter { $0.1 != 0 }.map { ($0, $1) })
        }
        // Text labels are classes to Vowpal Wabbit too, but a stream's first line must begin with a number to be known.
        let isText = csv.labels.contains { if case .text = $0 { true } else { false } }
        let vw = samples.map { row, label in
            "\(text(label)) | " + zip(names, row).map { "\($0):\($1)" }.joined(separator: " ") + "\n"
        }
        let wabbit = decode(Array(vw.joined().utf8), pieces: [10_000], format: isText ? .vw : nil)
        #expect(wabbit.terms == expected && wabbit.labels == csv.labels && wabbit.events.isEmpty)

        let libsvm = samples.map { row, label in
            "\(text(label)) "
                + row.enumerated().filter { $0.element != 0 }.map { "\($0.offset + 1):\($0.element)" }.joined(
                    separator: " ")
                + "\n"
        }
        let sparse = decode(Array(libsvm.joined().utf8), pieces: [10_000], format: isText ? .libsvm : nil)
        let renamed = csv.rows.map { row in
            Dictionary(
                uniqueKeysWithValues: row.enumerated().filter { $0.element != 0 }.map {
                    ("\($0.offset + 1)", $0.element)
                })
        }
        #expect(sparse.terms == renamed && sparse.labels == csv.labels && sparse.events.isEmpty)

        if !isText {
            var packed = Array("EDDY".utf8) + [1, 0, 1, 0]
            func add(_ bits: UInt32) { withUnsafeBytes(of: bits.littleEndian) { packed += Array($0) } }
            add(UInt32(names.count))
            for (row, label) in samples {
                for value in row { add(value.bitPattern) }
                if case .number(let value) = label { add(value.bitPattern) }
            }
            let binary = decode(packed, pieces: [10_000])
            #expect(binary.features == csv.features && binary.labels == csv.labels && binary.events.isEmpty)
        }
    }

    // MARK: Files as they are found

    private func file(_ name: String, label: LabelColumn = .automatic) throws -> Decoded {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/formats/\(name)", withExtension: nil))
        return decode(Array(try Data(contentsOf: url)), label: label)
    }

    @Test func passengers_areReadWithTheirGapsNamesAndDays() throws {
        let decoded = try file("passengers.csv", label: .name("Arrived"))
        #expect(decoded.events.isEmpty && decoded.lines.count == 7)
        let schema = try #require(decoded.schema)
        #expect(schema.texts == ["Name", "Meal", "Port"])
        #expect(
            schema.columns.map(\.kind) == [
                .number, .number, .text, .text, .number, .number, .open, .text, .date, .number,
            ])
        #expect(decoded.labels == [0, 1, 1, 1, 0, 0, 0])
        #expect(decoded.terms[1]["Seat=B12"] == 1 && decoded.terms[3]["Name=lily"] == 1)
        #expect(decoded.rows[4][2].isNaN && decoded.rows[6].last?.isNaN == true)
    }

    @Test func weather_isReadAsWords() throws {
        let decoded = try file("weather.csv")
        #expect(decoded.events.isEmpty && decoded.lines == [2, 3, 4, 5, 6, 7])
        #expect(decoded.schema?.inputs == [] && decoded.schema?.texts.count == 4)
        #expect(decoded.terms[3] == ["outlook=rain": 1, "temperature=mild": 1, "humidity=high": 1, "wind=weak": 1])
    }

    @Test func events_areReadWithTimesTermsAndALateLabel() throws {
        let decoded = try file("events.jsonl")
        let late = DecodedEvent.Kind.lateLabel(try LateLabel(id: "e4", label: "fraud"))
        #expect(decoded.events.map(\.kind) == [late] && decoded.lines.count == 4)
        #expect(decoded.schema?.columns.map(\.kind) == [.time, .text, .number, .text, .number, .open])
        #expect(decoded.terms[2]["coupon=spring"] == 1 && decoded.terms[3]["retries"] == 2)
        #expect(decoded.identifiers == [3: "e4"] && decoded.labels[3] == .none)
    }

    @Test func houses_areReadWithImportanceAndTags() throws {
        let decoded = try file("houses.vw")
        #expect(decoded.events.isEmpty && decoded.labels == [0, 1, 0, .none] && decoded.weights == [1, 2, 1, 1])
        #expect(decoded.identifiers == [1: "the_mill", 2: "number_seven", 3: "the_barn"])
        #expect(
            decoded.terms[3] == ["place^city=Ulm": 1, "place^lake": 1, "measures^rooms": 0.25, "measures^garden": 0.1])
    }

    @Test func adults_areReadSparse() throws {
        let decoded = try file("adults.libsvm")
        #expect(decoded.events.isEmpty && decoded.labels == [-1, -1, 1])
        #expect(decoded.terms.map(\.count) == [8, 8, 8] && decoded.terms[2]["91"] == 0.5)
    }
}
