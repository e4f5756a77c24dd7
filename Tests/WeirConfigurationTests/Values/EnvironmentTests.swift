import Testing

@testable import WeirConfiguration

@Suite("Variables from the environment") struct EnvironmentTests {
    let environment = ["HOST": "db.internal", "EMPTY": "", "NESTED": "${HOST}", "YAML": "x\nroutes: {}", "A1_": "1"]

    @Test(
        "References are replaced once, defaults stand in, and `$${` escapes",
        arguments: [
            ("plain", "plain"), ("${HOST}", "db.internal"), ("a${HOST}b${A1_}", "adb.internalb1"), ("${EMPTY}", ""),
            ("${EMPTY:-x}", "x"), ("${NONE:-x}", "x"), ("${NONE:-}", ""), ("${HOST:-x}", "db.internal"),
            ("$${HOST}", "${HOST}"),
            ("$HOST", "$HOST"), ("$", "$"), ("$$", "$$"), ("${NESTED}", "${HOST}"), ("${NONE:-a:b}", "a:b"),
            ("}{", "}{"),
        ])
    func expands(text: String, expected: String) throws {
        #expect(try expandEnvironment(text, environment: environment) == expected)
    }

    @Test(
        "Unset and malformed references are refused",
        arguments: [
            "${NONE}", "${", "${}", "${HOST", "${1A}", "${A B}", "${HOST-x}", "${HOST:x}", "${HOST:?x}",
            "${A:-${HOST}}", "${ HOST}",
        ])
    func refuses(text: String) {
        #expect(refusal { () throws(ValueError) in try expandEnvironment(text, environment: environment) } != nil)
    }

    @Test("The result is bounded")
    func bounded() {
        let text = String(repeating: "${BIG}", count: 100)
        let environment = ["BIG": String(repeating: "a", count: 1_000)]
        #expect(refusal { () throws(ValueError) in try expandEnvironment(text, environment: environment) } != nil)
    }

    @Test("A value can never add structure to the file")
    func addsNoStructure() throws {
        let found = errors(route("host: ${YAML}"), environment: environment)
        #expect(
            found == [
                "weir.yml:5:11: error: `host`: expected a host name or an IP address, found `x\\u{a}routes: "
                    + "{}` (from `${YAML}`)"
            ])
    }

    @Test("Variables work in every scalar, quoted or not")
    func worksInFiles() throws {
        let configuration = try load(
            "routes:\n  a: {scheme: tcp, host: \"${HOST}\", port: \"${LISTEN:-8080}:80\"}\n", environment: environment)
        #expect(configuration.routes[0].upstreamText == "db.internal:80")
        #expect(configuration.routes[0].ports.map(\.listen) == [8080...8080])
    }

    @Test("An unset variable is an error at its scalar, with a near miss")
    func unset() {
        #expect(
            errors(route("host: ${HOTS}"), environment: environment) == [
                "weir.yml:5:11: error: the environment variable `HOTS` is not set, and `${HOTS}` gives no "
                    + "default; did you mean "
                    + "`${HOST}`?"
            ])
    }
}
