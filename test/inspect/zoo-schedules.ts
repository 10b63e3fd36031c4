// The zoo's fifth house: every schedule on images and on numbers, where its steps differ from those on the two moons.

import { scheduleChoices, scheduleOf } from "../../src/cli/schedules.ts";
import { tanh } from "../../src/nn/index.ts";
import { manualSeed } from "../../src/tensor/index.ts";
import { cnn, type Healthy, images, mlp, type Patient, patient, regression, withAdam } from "./zoo.ts";

const EPOCHS = 9;
const RATE = 5e-3;

const tasks: Readonly<Record<string, (seed: number, schedule: string) => Omit<Patient, "name">>> = {
  images: (seed, schedule) => patient(cnn(), images(seed), withAdam(RATE), scheduled(schedule)),
  regression: (seed, schedule) => patient(mlp([4, 24, 1], tanh, "tanh"), regression(seed), withAdam(RATE), scheduled(schedule)),
};

const scheduled = (name: string) => ({ epochs: EPOCHS, learningRate: scheduleOf(name, RATE, EPOCHS) });

export const healthySchedules: readonly Healthy[] = Object.entries(tasks).flatMap(([task, make]) =>
  Object.keys(scheduleChoices).map((schedule) => ({
    name: `${task}, ${schedule}`,
    make: (seed = 1) => {
      manualSeed(seed);
      return make(seed, schedule);
    },
  })),
);
