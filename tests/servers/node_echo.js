// SPDX-License-Identifier: MIT
// The npm library ws as an echo server on a free loopback port. Its first line says "listening PORT".
// NODE_PATH says where ws is installed.
"use strict";

const { WebSocketServer } = require("ws");

// compression for those who offer it, of small messages too
const server = new WebSocketServer({
    host: "127.0.0.1", port: 0, maxPayload: 0, perMessageDeflate: { threshold: 0 },
});

server.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => {
        // ws keeps no more than this in memory: the socket is read on when the kernel has taken the echo
        socket.pause();
        socket.send(data, { binary: isBinary }, () => socket.resume());
    });
    socket.on("error", () => socket.terminate());
});
server.on("listening", () => console.log(`listening ${server.address().port}`));
server.on("error", (error) => {
    console.error(error.message);
    process.exit(1);
});
