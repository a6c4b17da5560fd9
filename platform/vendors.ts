import type { Endpoint, Vendor } from './endpoint';
import { currentContext, newContext, withContext } from './telemetry';

// A vendor that hangs holds up whoever waits for it. So an operation says in its contract whom it may reach, and the doors to the
// vendors hold it to that: a step that a saga runs locally calls only operations that reach nobody.

/** Says that from here on `operation` runs: the context is as old as its request, which the server had to route first. */
export function enterOperation(operation: Endpoint): void {
  const context = currentContext();
  if (context) context.operation = operation;
}

/**
 * Runs work that no operation waits for, such as a delivery loop or a script, and says that it reaches `vendor`.
 * @throws Error inside an operation whose contract does not say so
 */
export function reaching<T>(vendor: Vendor, work: () => T): T {
  const context = currentContext();
  if (context?.operation) requireVendor(vendor);
  return withContext({ ...(context ?? newContext()), reaching: vendor }, work);
}

/**
 * What a vendor's door asks before every request to it.
 * @throws Error naming the operation, unless its contract, or outside of operations `reaching`, names the vendor
 */
export function requireVendor(vendor: Vendor): void {
  const { operation, reaching: named } = currentContext() ?? {};
  if (operation ? operation.reaches?.includes(vendor) : named === vendor) return;
  throw new Error(
    operation
      ? `The operation ${operation.operationId} reaches ${vendor}, and its contract does not say so`
      : `Work outside of any operation reaches ${vendor}, and no \`reaching\` says so`,
  );
}
