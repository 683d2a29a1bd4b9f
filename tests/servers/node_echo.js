// SPDX-License-Identifier: MIT
// An echo server on a free loopback port, made with the npm library ws. Its first line on stdout is "listening PORT".
// NODE_PATH is the folder where ws is installed.
"use strict";

const { WebSocketServer } = require("ws");

// Compress if the client offers it, small messages too.
const server = new WebSocketServer({
    host: "127.0.0.1", port: 0, maxPayload: 0, perMessageDeflate: { threshold: 0 },
});

server.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => {
        // This limits the memory: the socket is read again when the kernel has taken the echo.
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
