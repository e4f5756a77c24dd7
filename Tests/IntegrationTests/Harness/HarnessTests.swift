import Foundation
import TestSupport
import Testing

extension Integration {
    /// The measuring instruments themselves, without Weir in between: their values must be true there.
    @Suite("The harness")
    struct HarnessTests {
        @Test("nginx's log agrees with curl about the size of a download")
        func nginxLogIsExact() throws {
            let nginx = try Nginx(sizes: [16_384])
            let run = try ChildProcess.run(
                "curl",
                [
                    "-s", "-S", "-o", "/dev/null", "-w", "%{size_request} %{size_header} %{size_download}",
                    "http://127.0.0.1:\(nginx.port)/16384",
                ])
            #expect(run.succeeded, "\(run)")
            let sizes = run.output.split(separator: " ").compactMap { Int($0) }
            let logged = try #require(try nginx.requests(count: 1).first)
            #expect(sizes.count == 3)
            #expect(logged.bytesIn == sizes[0])
            #expect(logged.bytesOut == sizes[1] + sizes[2])
        }

        @Test("a connection to the unanswering server hangs until it starts to answer")
        func unansweringServerHangs() throws {
            let server = try UnansweringServer()
            #expect(throws: SystemFailure.self) {
                _ = try TestConnection(to: server.endpoint, connectTimeoutSeconds: 1)
            }
            try server.startAnswering { connection in try connection.send("late") }
            let connection = try TestConnection(to: server.endpoint)
            #expect(connection.receive().text == "late")
        }

        @Test("an end with unread input is a reset after the answer")
        func resetAfterAnswer() throws {
            let server = try TCPServer.resettingAfterAnswer(Pattern.bytes(32_768), unread: 1_000)
            let client = try TestConnection(to: server.endpoint)
            try client.send(Pattern.bytes(1_001))
            let received = client.receive()
            expectBytes(received.bytes, Pattern.bytes(32_768))
            #expect(received.ending == .reset)
        }

        @Test("a child that ignores nothing ends with the signal that it was sent")
        func signalsReachChildren() throws {
            let child = try ChildProcess("sleep", ["60"])
            #expect(child.isRunning)
            child.send(signal: SIGTERM)
            #expect(try child.waitForExit() == .signal(SIGTERM))
        }

        @Test("no descriptor of the tests lives on in a child")
        func descriptorsStayHere() throws {
            let server = try TCPServer.echo()
            let client = try TestConnection(to: server.endpoint)
            let child = try ChildProcess("sleep", ["60"])
            try waitUntil("the child runs its program") {
                contents(of: "/proc/\(child.processID)/cmdline").hasPrefix("sleep")
                    || contents(of: "/proc/\(child.processID)/comm").hasPrefix("sleep")
            }
            // The loader has the program's libraries open for a moment; what came from here would stay.
            try waitUntil("it has its three descriptors and no other") { child.descriptorCount == 3 }
            try client.send("x")
            #expect(client.receive(1).text == "x")
        }

        @Test("what is asked of a process waits for the turn that one of its loops is in")
        func turnsEnd() {
            let (hasBegun, mayEnd, isDone) = (TestSemaphore(), TestSemaphore(), TestSemaphore())
            let order = Shared<[String]>([])
            Thread {
                let name = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
                write(name, "weir-worker-0", 13)
                close(name)
                hasBegun.signal()
                mayEnd.wait()
                order.withLock { $0.append("the turn ends") }
            }.start()
            hasBegun.wait()
            Thread {
                hasBegun.signal()
                WorkerTurns.finish(of: getpid())
                order.withLock { $0.append("the answer") }
                isDone.signal()
            }.start()
            hasBegun.wait()
            mayEnd.signal()
            isDone.wait()
            #expect(order.withLock { $0 } == ["the turn ends", "the answer"])
        }

        @Test(
            "the reader of scrapes refuses what is not the text format",
            arguments: [
                "a 1", "a{b=\"c\" 1\n", "a one\n", "a 1\na 1\n", "a{b=\"\\x\"} 1\n", "{b=\"c\"} 1\n",
                "# TYPE a counter\n# TYPE a counter\n",
            ])
        func malformedScrapes(text: String) {
            #expect(throws: Samples.Malformed.self) { _ = try Samples(text) }
        }

        @Test("the reader of scrapes understands labels with escapes")
        func escapedLabels() throws {
            let samples = try Samples("# TYPE a counter\na{b=\"x\\\"\\\\\\n\",c=\"\"} 4\nd +Inf\n")
            #expect(samples["a", ["b": "x\"\\\n", "c": ""]] == 4)
            #expect(samples["d"] == .infinity)
            #expect(samples.types == ["a": "counter"])
        }
    }
}
