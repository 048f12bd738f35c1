#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

// Runs kernels.cu on the CPU. All threads of a block exist at a time, each with a stack of its own, and take turns: a
// thread runs until it waits for others. What a device would do wrong, or only sometimes right, is a fault:
//
// - memory that the launch was not given: allow() names what is global, a launch how much is shared;
// - two threads at one place without a barrier in between, one of which writes (each access is looked at, except in a
// build
//   with AddressSanitizer, which then looks for the first kind);
// - a barrier or an exchange that not all of its threads reach;
// - a grid, a block or shared memory of a size that devices refuse.
//
// Not seen: registers, speed, what the compiler of the device makes of the source.
namespace st::emulation {

// Of blocks, and of the threads of a block between two barriers. Results must not depend on it.
enum class Order { kAscending, kDescending, kRandom };
void set_order(Order order, uint64_t seed = 0);

// Global memory for the launches that follow. `number`: bytes of a number there.
void allow(const void* memory, size_t bytes, size_t number, bool writable);
void forget_memory();

// The faults since the last call, a line each; at most some lines of each launch.
std::string take_faults();

}  // namespace st::emulation
