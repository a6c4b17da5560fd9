import { type FieldError, ProblemError } from '../../../kernel/errors';

/** @throws ProblemError validation_failed that names each field, unless there is none */
export function refuseIfAny(errors: FieldError[]): void {
  if (errors.length > 0) refuse(errors);
}

/** @throws ProblemError validation_failed that names each field */
export function refuse(errors: FieldError[]): never {
  throw new ProblemError('validation_failed', 'Some fields are not valid', { errors });
}
