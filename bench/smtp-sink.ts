import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

// A mail server that takes every mail and keeps none: `node smtp-sink.js <port>`. The mail catcher of `npm start` keeps them all in
// memory and looks through them at each new one, so that the last of ten thousand bookings would pay for the first.

const REPLIES: Record<string, string> = {
  EHLO: '250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8',
  HELO: '250 sink',
  DATA: '354 Go on',
  QUIT: '221 Bye',
};

function serve(socket: Socket): void {
  let inMail = false;
  const say = (reply: string) => void socket.write(`${reply}\r\n`);
  socket.on('error', () => socket.destroy());
  say('220 sink ESMTP');
  createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
    if (inMail) {
      if (line !== '.') return;
      inMail = false;
      return say('250 Taken');
    }
    const verb = line.slice(0, 4).toUpperCase();
    inMail = verb === 'DATA';
    say(REPLIES[verb] ?? '250 OK');
    if (verb === 'QUIT') socket.end();
  });
}

const server = createServer(serve);
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.send?.({ port: Number(process.argv[2]) }));
process.once('SIGTERM', () => process.exit(0));
process.once('disconnect', () => process.exit(1));
