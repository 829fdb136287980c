// Words of a command line that have to be numbers.
import { CliError } from "./failures.ts";

export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new CliError(`${option}: ${JSON.stringify(text)} is not a whole number from ${min} to ${max}`);
}
