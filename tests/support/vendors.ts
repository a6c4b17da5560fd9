import type { Vendor } from '../../platform/endpoint';
import { reaching } from '../../platform/vendors';

/** A vendor's door for tests that call it themselves, outside of any operation: each call says that it reaches the vendor. */
export function calledByTests<Door extends object>(vendor: Vendor, door: Door): Door {
  return new Proxy(door, {
    get(target, name, receiver) {
      const call: unknown = Reflect.get(target, name, receiver);
      if (typeof call !== 'function') return call;
      return (...given: unknown[]) => reaching(vendor, () => Reflect.apply(call, target, given));
    },
  });
}
