import { z } from 'zod';
import { Amount, At, event, Id, ParticipantIds } from '../../platform/event-schema';

// What tutoring tells others. A tutor's id is their user's.

/** What a tutor's profile consists of, by the names that its contract gives them. */
export const PROFILE_FIELDS = [
  'headline',
  'biography',
  'subjects',
  'languages',
  'timeZone',
  'instantBooking',
  'displayName',
  'education',
] as const;

const ofTutor = { tutorId: Id, participantIds: ParticipantIds.describe('The tutor') };

const ofSlot = {
  ...ofTutor,
  bookingId: Id,
  state: z.enum(['held', 'booked']),
  start: At,
  end: At,
  expiresAt: At.nullable().describe('Until when it is held; null: it is booked'),
};

const ofCertification = { ...ofTutor, certificationId: Id };

export const tutoringEvents = {
  TutorRegistered: event('A new tutor has an empty profile.', ofTutor),
  TutorRemoved: event('An empty profile is gone, because the sign-up was undone.', ofTutor),
  TutorReviewReceived: event('A review of a tutor was published. The stream is that of the review.', {
    ...ofTutor,
    reviewId: Id,
    rating: z.int().min(1).max(5),
  }),
  TutorProfileCreated: event('A tutor has completed their profile.', { ...ofTutor, instantBooking: z.boolean() }),
  TutorProfileUpdated: event('A tutor has changed their profile.', {
    ...ofTutor,
    fields: z.array(z.enum(PROFILE_FIELDS)).describe('What was written, be it as it was before'),
  }),
  TutorAvailabilityUpdated: event('A tutor has other hours.', ofTutor),
  TutorPricingChanged: event('A tutor has set their prices.', {
    ...ofTutor,
    options: z.array(
      z.strictObject({
        id: Id,
        kind: z.enum(['hourly', 'package']),
        price: Amount,
        sessions: z.int().optional().describe('Of a package: how many'),
      }),
    ),
  }),
  TutorUnlisted: event(
    'A tutor is not found any more, because a price of theirs cannot be charged or they are suspended.',
    ofTutor,
  ),
  TutorCertificationAdded: event('A tutor has added a certification.', ofCertification),
  TutorCertificationRemoved: event('A tutor has removed a certification.', ofCertification),
  TutorVerified: event('An administrator has verified a tutor.', {
    ...ofTutor,
    verifiedBy: Id.describe('The administrator, whom it does not concern'),
  }),

  SlotHeld: event("A tutor's time is held for a booking.", ofSlot),
  SlotHoldExtended: event('A hold expires at another time.', ofSlot),
  SlotHoldExpired: event('A hold has expired, and somebody else wants its time.', ofSlot),
  SlotBooked: event("A tutor's time is a booking's.", ofSlot),
  SlotReserved: event('A time is kept beside the one of the session, which is about to move there.', ofSlot),
  SlotMoved: event('The time of a session is another, and the old one is free.', ofSlot),
  SlotReleased: event("A tutor's time is free again.", ofSlot),
};
