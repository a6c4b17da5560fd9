import { type FieldError, notValid } from '../../../kernel/errors';

/** @throws ProblemError validation_failed that names each field, unless there is none */
export function refuseIfAny(errors: FieldError[]): void {
  if (errors.length > 0) refuse(errors);
}

/** @throws ProblemError validation_failed that names each field */
export function refuse(errors: FieldError[]): never {
  throw notValid(errors);
}
