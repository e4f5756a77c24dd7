import LinuxIO
import Testing
import WeirAccess

struct AccessListFileTests {
    private func read(_ text: String) -> AccessListFile { AccessListFile(Array(text.utf8), name: "list.txt") }

    @Test("Each line is a rule, an address or a block; comments and blank lines are none")
    func forms() {
        let file = read(
            """
            # a public list
            192.0.2.1
              10.0.0.0/8\t# a block
            2001:db8::/32 ; and a block of IPv6

            ; another comment
            ip:198.51.100.7
            country:DE
            abcd::1\r
            """)
        #expect(file.problems == [])
        #expect(
            file.entries.map { "\($0.rule)" } == [
                "ip:192.0.2.1", "cidr:10.0.0.0/8", "cidr:2001:db8::/32", "ip:198.51.100.7", "country:DE", "ip:abcd::1",
            ])
        #expect(file.entries.map(\.origin) == [2, 3, 4, 7, 8, 9].map { "list.txt:\($0)" })
        #expect(file.entries.map(\.text)[1] == "10.0.0.0/8")
    }

    @Test("A byte order mark and a last line without an end do no harm, and an empty file has no rules")
    func ends() {
        #expect(read("\u{feff}192.0.2.1").entries.count == 1)
        #expect(read("").entries.isEmpty)
        #expect(read("\n\n#\n").entries.isEmpty)
    }

    @Test("Every line that is wrong is told with its number")
    func problems() {
        let file = read("192.0.2.1\nhost\n10.0.0.1/8\n192.0.2.2 192.0.2.3\n")
        #expect(file.problems.map(\.line) == [2, 3, 4])
        #expect(file.problems[0].message.hasSuffix("found `host`"))
        #expect(file.entries.count == 1)
    }

    @Test("Of a line that is no rule at most eight bytes are shown: the file may be another than was meant")
    func foreignLines() {
        for line in [
            "hunter2-is-my-password", "cidr:hunter2-is-my-password", "ip:hunter2-is-my-password",
            "tz:hunter2-is-my-password", "country:hunter2-is-my-password", "cidr:10.0.0.0/hunter2-is-my-password",
            "\u{1b}]0;hunter2-is-my-password\u{7}", "root:$6$hunter2-is-my-password:19000::::::",
        ] {
            let problems = read(line + "\n").problems
            #expect(problems.count == 1)
            #expect(!problems.map(\.message).joined().contains("hunter2-i"), "\(problems)")
            #expect(problems.allSatisfy { $0.message.utf8.allSatisfy { (0x20..<0x7f).contains($0) || $0 >= 0x80 } })
            #expect(problems.allSatisfy { $0.suggestion == nil })
        }
    }

    @Test("Of very many wrong lines the first are told, and how many more there are")
    func manyProblems() {
        let file = read(String(repeating: "wrong\n", count: 500))
        #expect(file.problems.count == AccessListFile.maxProblems)
        #expect(file.problems.last?.message == "481 lines more are no rules")
    }

    @Test("A file that is too large is refused")
    func tooLarge() {
        let file = AccessListFile([UInt8](repeating: 0x0a, count: AccessListFile.maxBytes + 1), name: "list.txt")
        #expect(file.problems.map(\.message) == ["expected a file of at most 32 MiB, found more"])
    }
}
