// How a command ends that does not end well, with the exit codes of unbound-control.

export class CliError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

const NOT_RUNNING = 3;

export class NotRunning extends CliError {
  constructor(message: string) {
    super(message, NOT_RUNNING);
  }
}
