import TestSupport
import Testing

extension Integration {
    @Suite("The command line")
    struct CommandLineTests {
        @Test("docs/command-line.md is what the program says of its commands")
        func page() throws {
            let run = try ChildProcess.run(try Tool.weir(), ["manual", "--markdown"])
            #expect(run.exit == .code(0), "\(run)")
            let section = GeneratedSection(page: "docs/command-line.md", name: "commands", text: run.output)
            let stale = try section.staleText()
            #expect(stale == nil, "run this test with WEIR_WRITE_DOCS=1 to write it anew")
        }
    }
}
