// A client and an agent of `godoxy-agent-stream/1` in Go's crypto/tls, the library of the program that the protocol
// comes from, for test_agent_peers.py.
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"net"
	"os"
	"time"
)

const protocol = "godoxy-agent-stream/1"
const headerLength = 275

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func settings(authority, certificate, key string) *tls.Config {
	pem, err := os.ReadFile(authority)
	check(err)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		log.Fatal("no authority")
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	check(err)
	return &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: pool, ClientCAs: pool, Certificates: []tls.Certificate{pair},
		ServerName: "godoxy.agent", ClientAuth: tls.RequireAndVerifyClientCert}
}

func header(host, port string, flags byte) []byte {
	made := make([]byte, headerLength)
	copy(made, "0.1.0")
	made[8] = byte(len(host))
	copy(made[9:264], host)
	made[264] = byte(len(port))
	copy(made[265:270], port)
	made[270] = flags
	binary.BigEndian.PutUint32(made[271:], crc32.ChecksumIEEE(made[:271]))
	return made
}

// pipe copies both ways as the other program does: it passes no end on before both sides have ended.
func pipe(one, other net.Conn) {
	done := make(chan bool)
	go func() {
		_, _ = io.Copy(one, other)
		done <- true
	}()
	_, _ = io.Copy(other, one)
	<-done
}

// dial asks an agent whether it takes tunnels, and then sends bytes through one while it reads their echo.
func dial(config *tls.Config, address, host, port string, count int) {
	config.NextProtos = []string{protocol}
	probe, err := tls.Dial("tcp", address, config)
	check(err)
	_, err = probe.Write(header("", "", 1))
	check(err)
	rest, err := io.ReadAll(probe)
	check(err)
	connection, err := tls.Dial("tcp", address, config)
	check(err)
	defer connection.Close()
	sent, received := make([]byte, count), make([]byte, count)
	_, err = rand.Read(sent)
	check(err)
	go func() {
		_, err := connection.Write(append(header(host, port, 0), sent...))
		check(err)
	}()
	_, err = io.ReadFull(connection, received)
	check(err)
	if !bytes.Equal(sent, received) {
		log.Fatal("other bytes came back")
	}
	fmt.Printf("%d %s %d\n", len(rest), connection.ConnectionState().NegotiatedProtocol, count)
}

func serve(config *tls.Config, address string) {
	config.NextProtos = []string{"http/1.1", protocol}
	listener, err := tls.Listen("tcp", address, config)
	check(err)
	for {
		accepted, err := listener.Accept()
		check(err)
		go tunnel(accepted.(*tls.Conn))
	}
}

func tunnel(connection *tls.Conn) {
	defer connection.Close()
	if connection.Handshake() != nil || connection.ConnectionState().NegotiatedProtocol != protocol {
		return
	}
	found := make([]byte, headerLength)
	if _, err := io.ReadFull(connection, found); err != nil {
		return
	}
	host, port := string(found[9:9+int(found[8])]), string(found[265:265+int(found[264]%6)])
	if !bytes.Equal(found, header(host, port, found[270])) {
		fmt.Println("malformed")
		return
	}
	if found[270]&1 != 0 {
		fmt.Println("probe")
		return
	}
	destination, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), 10*time.Second)
	if err != nil {
		fmt.Println("failed")
		return
	}
	defer destination.Close()
	fmt.Println("tunnel")
	pipe(connection, destination)
}

func main() {
	mode := flag.String("mode", "client", "client or agent")
	address := flag.String("address", "", "host and port")
	authority := flag.String("authority", "", "its certificate")
	certificate := flag.String("certificate", "", "the own certificate")
	key := flag.String("key", "", "its key")
	host := flag.String("host", "", "of the destination")
	port := flag.String("port", "", "of the destination")
	count := flag.Int("bytes", 1, "of the connection")
	flag.Parse()
	config := settings(*authority, *certificate, *key)
	if *mode == "agent" {
		serve(config, *address)
	} else {
		dial(config, *address, *host, *port, *count)
	}
}
