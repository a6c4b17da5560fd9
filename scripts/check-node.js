// Runs before every npm script, so it must parse and run on any Node: plain, old JavaScript, no dependencies.
// 20.19 is the first version that can `require` the ES modules among the dependencies.
var required = '20.19';
var running = process.versions.node;
var needs = ['TutorConnect needs Node', required, 'or newer, and this is', running].join(' ');

function isOlder(version, than) {
  var a = version.split('.').map(Number);
  var b = than.split('.').map(Number);
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);
}

if (isOlder(running, required)) {
  process.stderr.write(needs.concat(': install a newer one (https://nodejs.org) and run the command again.\n'));
  process.exit(1);
}
