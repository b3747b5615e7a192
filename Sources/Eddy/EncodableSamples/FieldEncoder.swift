// The `Encoder` behind a field line: names are joined with points, values go to the line.

import Foundation

/// Encodes what stands under `name`.
struct FieldEncoder: Encoder {
    let line: FieldLine
    let name: String
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(KeyedFieldContainer<Key>(line: line, name: name, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        ListedFieldContainer(line: line, name: name, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        SingleFieldContainer(line: line, name: name, codingPath: codingPath)
    }
}

/// A key that no type declares: a dictionary's, or a place in an array.
struct FieldKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(stringValue: String) { (self.stringValue, intValue) = (stringValue, nil) }
    init(intValue: Int) { (stringValue, self.intValue) = (String(intValue), intValue) }
}

/// A dictionary: its order is another in each run, so its fields are sorted by name.
protocol KeyedFields {
    /// Nil where the keys are no names.
    var sortedFields: [(key: String, value: any Encodable)]? { get }
}

extension Dictionary: KeyedFields where Value: Encodable {
    var sortedFields: [(key: String, value: any Encodable)]? {
        var fields: [(key: String, value: any Encodable)] = []
        for (key, value) in self {
            switch key {
            case let name as String: fields.append((name, value))
            case let number as Int: fields.append((String(number), value))
            case let key as any CodingKeyRepresentable: fields.append((key.codingKey.stringValue, value))
            default: return nil
            }
        }
        return fields.sorted { $0.key < $1.key }
    }
}

private struct KeyedFieldContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let line: FieldLine
    let name: String
    let codingPath: [any CodingKey]

    private func name(_ key: any CodingKey) -> String { FieldLine.name(name, key.stringValue) }

    func encodeNil(forKey key: Key) { line.write("null", name(key)) }
    func encode(_ value: Bool, forKey key: Key) { line.write(value ? "true" : "false", name(key)) }
    func encode(_ value: String, forKey key: Key) { line.write(text: value, name(key)) }
    func encode(_ value: Double, forKey key: Key) { line.write(number: value, name(key)) }
    func encode(_ value: Float, forKey key: Key) { line.write(number: value, name(key)) }
    func encode(_ value: Int, forKey key: Key) { line.write(value.description, name(key)) }
    func encode(_ value: Int8, forKey key: Key) { line.write(value.description, name(key)) }
    func encode(_ value: Int16, forKey key: Key) { line.write(value.description, name(key)) }
    func encode(_ value: Int32, forKey key: Key) { line.write(value.description, name(key)) }
    func encode(_ value: Int64, forKey key: Key) { line.write(value.description, name(key)) }
    func encode(_ value: UInt, forKey key: Key) { line.write(value.description, name(key)) }
    func encode(_ value: UInt8, forKey key: Key) { line.write(value.description, name(key)) }
    func encode(_ value: UInt16, forKey key: Key) { line.write(value.description, name(key)) }
    func encode(_ value: UInt32, forKey key: Key) { line.write(value.description, name(key)) }
    func encode(_ value: UInt64, forKey key: Key) { line.write(value.description, name(key)) }

    func encode(_ value: some Encodable, forKey key: Key) throws {
        try line.write(value, name(key), codingPath + [key])
    }

    // What is nil is written as missing, so that the first value has all columns.

    func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try encodeOptional(value, key) }
    func encodeIfPresent(_ value: String?, forKey key: Key) throws { try encodeOptional(value, key) }
    func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try encodeOptional(value, key) }
    func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try encodeOptional(value, key) }
    func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try encodeOptional(value, key) }
    func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try encodeOptional(value, key) }
    func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try encodeOptional(value, key) }
    func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try encodeOptional(value, key) }
    func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try encodeOptional(value, key) }
    func encodeIfPresent(_ value: UInt?, forKey key: Key) throws { try encodeOptional(value, key) }
    func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try encodeOptional(value, key) }
    func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try encodeOptional(value, key) }
    func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try encodeOptional(value, key) }
    func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try encodeOptional(value, key) }
    func encodeIfPresent(_ value: (some Encodable)?, forKey key: Key) throws { try encodeOptional(value, key) }

    private func encodeOptional(_ value: (some Encodable)?, _ key: Key) throws {
        if let value { try line.write(value, name(key), codingPath + [key]) } else { encodeNil(forKey: key) }
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        line.beginNested(name(key))
        return nested(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { nested(key).unkeyedContainer() }
    func superEncoder() -> any Encoder { nested(FieldKey(stringValue: "super")) }
    func superEncoder(forKey key: Key) -> any Encoder { nested(key) }

    private func nested(_ key: any CodingKey) -> FieldEncoder {
        FieldEncoder(line: line, name: name(key), codingPath: codingPath + [key])
    }
}

private struct ListedFieldContainer: UnkeyedEncodingContainer {
    let line: FieldLine
    let name: String
    let codingPath: [any CodingKey]
    private(set) var count = 0

    init(line: FieldLine, name: String, codingPath: [any CodingKey]) {
        (self.line, self.name, self.codingPath) = (line, name, codingPath)
    }

    mutating func encodeNil() { line.write("null", next().name) }

    mutating func encode(_ value: some Encodable) throws {
        let element = next()
        try line.write(value, element.name, element.codingPath)
    }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        let element = next()
        line.beginNested(element.name)
        return element.container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { next().unkeyedContainer() }
    mutating func superEncoder() -> any Encoder { next() }

    private mutating func next() -> FieldEncoder {
        defer { count += 1 }
        return FieldEncoder(
            line: line, name: FieldLine.name(name, String(count)), codingPath: codingPath + [FieldKey(intValue: count)])
    }
}

private struct SingleFieldContainer: SingleValueEncodingContainer {
    let line: FieldLine
    let name: String
    let codingPath: [any CodingKey]

    func encodeNil() { line.write("null", name) }
    func encode(_ value: Bool) { line.write(value ? "true" : "false", name) }
    func encode(_ value: String) { line.write(text: value, name) }
    func encode(_ value: Double) { line.write(number: value, name) }
    func encode(_ value: Float) { line.write(number: value, name) }
    func encode(_ value: Int) { line.write(value.description, name) }
    func encode(_ value: Int8) { line.write(value.description, name) }
    func encode(_ value: Int16) { line.write(value.description, name) }
    func encode(_ value: Int32) { line.write(value.description, name) }
    func encode(_ value: Int64) { line.write(value.description, name) }
    func encode(_ value: UInt) { line.write(value.description, name) }
    func encode(_ value: UInt8) { line.write(value.description, name) }
    func encode(_ value: UInt16) { line.write(value.description, name) }
    func encode(_ value: UInt32) { line.write(value.description, name) }
    func encode(_ value: UInt64) { line.write(value.description, name) }
    func encode(_ value: some Encodable) throws { try line.write(value, name, codingPath) }
}

extension FieldLine {
    /// A number as JSON writes it; what is none as Python does (`NaN`), which is missing in a feature and an error in a
    /// label, or `Infinity`, which is an error.
    fileprivate func write(number: some BinaryFloatingPoint & LosslessStringConvertible, _ name: String) {
        if number.isFinite { return write(number.description, name) }
        write(number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity", name)
    }
}

extension DateTime {
    /// A date as text of ISO 8601 in UTC, to the microsecond; nil outside the years 1 to 9999.
    static func text(_ date: Date) -> String? {
        let seconds = date.timeIntervalSince1970
        guard abs(seconds) < 3e11 else { return nil }
        let microseconds = Int((seconds * 1e6).rounded())
        let second = floored(microseconds, 1_000_000)
        let day = floored(second.quotient, 86_400)
        let (year, month, dayOfMonth) = civil(dayNumber: day.quotient - 10_957)  // 2000-01-01
        guard (1...9999).contains(year) else { return nil }
        func padded(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let (hour, minute) = (day.remainder / 3_600, day.remainder / 60 % 60)
        let fraction = second.remainder == 0 ? "" : "." + padded(second.remainder, 6)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))"
            + "T\(padded(hour, 2)):\(padded(minute, 2)):\(padded(day.remainder % 60, 2))\(fraction)Z"
    }

    private static func floored(_ value: Int, _ divisor: Int) -> (quotient: Int, remainder: Int) {
        let remainder = (value % divisor + divisor) % divisor
        return ((value - remainder) / divisor, remainder)
    }

    /// The day that has a number (see ``dayNumber(_:_:_:)``).
    private static func civil(dayNumber: Int) -> (year: Int, month: Int, day: Int) {
        // Days of eras of 400 years that begin on the first of March.
        let (era, day) = floored(dayNumber + 730_425, 146_097)
        let yearOfEra = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}
