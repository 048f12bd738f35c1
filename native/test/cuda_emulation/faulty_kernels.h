#pragma once

// Kernels that are wrong on purpose, which the emulation has to notice. `x`: 64 numbers.
namespace st::test::faulty {

void barrier_for_some(float* x);
void shuffle_for_some(float* x);
void neighbour_without_barrier(float* x);
void neighbour_after_a_shuffle(float* x);
void neighbour_of_another_warp(float* x);
void neighbour_of_another_block(float* x);
void one_number_too_far(float* x);
void more_shared_memory(float* x);
// As it should be.
void neighbour_after_a_barrier(float* x);

}  // namespace st::test::faulty
