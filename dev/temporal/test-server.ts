import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../machine/cache';
import { findOnPath, runCommand } from '../machine/run-command';
import { withLock } from '../processes/lock';
import { downloadBySdk } from './sdk-download';

const JAVA_VERSION = '1.31.0';
const MAVEN_MINUTES = 10;

/** Options for `TestWorkflowEnvironment.createTimeSkipping`. */
export interface TimeSkippingServer {
  server: { executable: { type: 'existing-path'; path: string } };
}

export interface TestServerSources {
  cache: string;
  say(line: string): void;
  download(into: string, file: string): Promise<boolean>;
  findOnPath(program: string): Promise<string | undefined>;
}

/**
 * Temporal's test server that skips time, for tests of long timers. It comes from the cache, by the SDK's download,
 * or else out of Maven Central: the Java program that the SDK's server is compiled from. Tests that ask at once get
 * it once.
 * @throws Error that names every way out
 */
export async function timeSkippingServer(sources: Partial<TestServerSources> = {}): Promise<TimeSkippingServer> {
  const from: TestServerSources = {
    cache: cacheFolder(),
    say: (line) => void process.stderr.write(`${line}\n`),
    download: (into, file) => downloadBySdk('time-skipping', into, file),
    findOnPath,
    ...sources,
  };
  const folder = join(from.cache, `temporal-test-server-${JAVA_VERSION}`);
  const path = join(folder, 'temporal-test-server');
  if (!isExecutable(path)) {
    await mkdir(from.cache, { recursive: true });
    await withLock(join(from.cache, 'temporal-test-server.lock'), async () => {
      if (!isExecutable(path)) await fetchInto(folder, from);
    });
  }
  return { server: { executable: { type: 'existing-path', path } } };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Puts the server together elsewhere and moves it in whole. */
async function fetchInto(folder: string, from: TestServerSources): Promise<void> {
  const draft = await mkdtemp(`${folder}-`);
  try {
    const downloads = join(draft, 'downloads');
    await mkdir(downloads);
    from.say("Getting Temporal's time-skipping test server, once");
    if (!(await from.download(downloads, join(draft, 'temporal-test-server')))) await fetchFromMaven(draft, from);
    await rm(downloads, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
    await rename(draft, folder);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function fetchFromMaven(folder: string, from: TestServerSources): Promise<void> {
  const missing: string[] = [];
  for (const program of ['java', 'mvn']) if (!(await from.findOnPath(program))) missing.push(program);
  if (missing.length > 0) {
    throw new Error(
      `Temporal's time-skipping test server could not be downloaded, and ${missing.join(' and ')} to run the Java one are not installed: install a Java runtime and Maven, or run these tests where temporal.download can be reached`,
    );
  }
  await writeFile(join(folder, 'pom.xml'), POM);
  const goals = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${join(folder, 'lib')}`];
  const { code, output } = await runCommand('mvn', ['--batch-mode', '--quiet', ...goals], {
    cwd: folder,
    timeoutMs: MAVEN_MINUTES * 60_000,
  });
  if (code !== 0) {
    throw new Error(`Temporal's time-skipping test server could not be had from Maven Central:\n${output}`);
  }
  await writeFile(join(folder, 'temporal-test-server'), LAUNCHER, { mode: 0o755 });
}

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tutorconnect</groupId>
  <artifactId>temporal-test-server-launcher</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.temporal</groupId>
      <artifactId>temporal-test-server</artifactId>
      <version>${JAVA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-nop</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
`;

// The SDK calls this script with the port and kills it by its pid, hence exec. A test process that is killed cannot
// do that: then the watcher beside the server does. Java's quick compiler alone starts faster and takes less of the
// processor from the tests.
const LAUNCHER = `#!/bin/sh
here=$(dirname "$0")
tests=$PPID
server=$$
(
  while kill -0 "$server" && kill -0 "$tests"; do sleep 2; done
  kill -KILL "$server"
) </dev/null >/dev/null 2>&1 &
exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx512m -cp "$here/lib/*" io.temporal.testserver.TestServer "$@"
`;
