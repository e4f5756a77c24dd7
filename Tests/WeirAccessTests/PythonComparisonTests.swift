import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirAccess

/// Compares with Python's `ipaddress`: which texts are addresses and blocks, and which block of many is the smallest
/// around an address. Seeded: a failing run can be repeated.
struct PythonComparisonTests {
    /// Prints one case a line: `P block`, `A address number-of-the-block-or--`, `T is-an-address text`, `N is-a-block
    /// text`.
    ///
    /// Left out is where both differ on purpose: scope ids (no rule has one), netmasks behind the slash, leading zeros
    /// in a length, and mapped blocks, which are IPv4 here and IPv6 in Python.
    private static let program = #"""
        import ipaddress, random, sys
        seed, count = int(sys.argv[1]), int(sys.argv[2])
        r = random.Random(seed)
        LENGTHS = {4: [6, 8, 12, 16, 19, 20, 22, 23, 24, 25, 28, 30, 31, 32],
                   6: [3, 16, 20, 32, 36, 44, 48, 52, 56, 63, 64, 65, 96, 127, 128]}
        KINDS = {4: (ipaddress.IPv4Address, ipaddress.IPv4Network, 32),
                 6: (ipaddress.IPv6Address, ipaddress.IPv6Network, 128)}
        MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
        def bits(version):
            width = KINDS[version][2]
            value = r.getrandbits(width)
            if r.random() < 0.6:
                value &= r.getrandbits(width) & r.getrandbits(width)
            return value
        numbers, networks = {}, []
        while len(networks) < 4000:
            version = r.choice((4, 6))
            near = networks[r.randrange(len(networks))] if networks and r.random() < 0.5 else None
            value = int(near[r.randrange(near.num_addresses)]) if near else bits(version)
            if near: version = near.version
            length = r.choice(LENGTHS[version])
            network = KINDS[version][1]((value, length), strict=False)
            if version == 6 and network.overlaps(MAPPED): continue
            if network in numbers: continue
            numbers[network] = len(networks)
            networks.append(network)
            print("P", r.choice((str(network), network.exploded, network.with_prefixlen.upper())))
        def smallest(address):
            for length in reversed(LENGTHS[address.version]):
                found = numbers.get(KINDS[address.version][1]((int(address), length), strict=False))
                if found is not None:
                    assert address in networks[found]
                    return str(found)
            return "-"
        def forms(address):
            if address.version == 4:
                mapped = ipaddress.IPv6Address(MAPPED.network_address + int(address))
                return [str(address), str(mapped), "::ffff:" + str(address), mapped.exploded.upper()]
            return [str(address), address.exploded, str(address).upper()]
        for _ in range(count):
            if r.random() < 0.5:
                network = networks[r.randrange(len(networks))]
                value = int(network[r.choice((0, -1, r.randrange(network.num_addresses)))])
                value = max(0, min(value + r.choice((-1, 0, 0, 1)), 2 ** network.max_prefixlen - 1))
                address = KINDS[network.version][0](value)
            else:
                version = r.choice((4, 6))
                address = KINDS[version][0](bits(version))
            if address.version == 6 and address in MAPPED: continue
            print("A", r.choice(forms(address)), smallest(address))
        def accepts(parse, text):
            try:
                parse(text)
                return "1"
            except ValueError:
                return "0"
        for _ in range(count // 10):
            version = r.choice((4, 6))
            text = list(r.choice(forms(KINDS[version][0](bits(version)))))
            for _ in range(r.choice((0, 1, 1, 2, 3))):
                place = r.randrange(len(text) + 1)
                step = r.random()
                if step < 0.4 and place < len(text): del text[place]
                elif step < 0.7: text.insert(place, r.choice("0123456789abcdefgABCF:.:: "))
                elif place < len(text): text[place] = r.choice("0123456789abcdefABCF:.")
            text = "".join(text)
            if " " in text or not text: continue
            print("T", accepts(ipaddress.ip_address, text), text)
            if r.random() < 0.5:
                text = str(networks[r.randrange(len(networks))])
                if r.random() < 0.3: text = text.replace("/", "/1")
            else:
                text += "/" + str(r.randrange(0, 140))
            try:
                if ipaddress.ip_address(text.split("/")[0]) in MAPPED: continue
            except ValueError:
                pass
            print("N", accepts(ipaddress.ip_network, text), text)
        """#

    @Test("Blocks and addresses are read, and found in each other, as Python's ipaddress does")
    func comparison() throws {
        let count = isLongRun ? 1_000_000 : 100_000
        let folder = try TemporaryDirectory("python")
        let script = try folder.write("cases.py", Self.program)
        let run = try ChildProcess.run("python3", [script, "20261126", "\(count)"], deadline: .seconds(600))
        try #require(run.succeeded, "\(run.errorOutput)")
        var prefixes: [IPPrefix] = []
        var cases: [(kind: Substring, rest: Substring)] = []
        for line in run.output.split(separator: "\n") {
            let rest = line.dropFirst(2)
            if line.first == "P" {
                prefixes.append(try IPPrefix(parsing: rest))
            } else {
                cases.append((line.prefix(1), rest))
            }
        }
        try #require(prefixes.count == 4000 && cases.count > count * 9 / 10)
        let table = PrefixTable(prefixes.enumerated().map { (prefix: $1, value: UInt32($0)) })
        var differences: [String] = []
        for (kind, rest) in cases {
            let words = rest.split(separator: " ", maxSplits: 1)
            let isAlike: Bool
            switch kind {
            case "A":
                let found = IPAddress(words[0]).map { table.value(around: $0).map { "\($0)" } ?? "-" }
                isAlike = found == String(words[1])
            case "T": isAlike = (IPAddress(words[1]) != nil) == (words[0] == "1")
            default: isAlike = ((try? IPPrefix(parsing: words[1])) != nil) == (words[0] == "1")
            }
            if !isAlike { differences.append("\(kind) \(rest)") }
        }
        #expect(differences.prefix(20).isEmpty, "\(differences.count) of \(cases.count) differ")
    }
}
