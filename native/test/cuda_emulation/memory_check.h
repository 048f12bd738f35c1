#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// Looks at each access of a thread to memory.
namespace st::emulation {

// A thread of a launch, and how many barriers it has passed.
struct Moment {
  int32_t block = -1;  // -1: no access yet
  int16_t thread = 0, warp = 0;
  uint32_t block_barriers = 0, warp_barriers = 0;
};

class MemoryCheck {
 public:
  // @param number bytes of a number there
  void allow(const void* memory, size_t bytes, size_t number, bool writable);
  void forget() { ranges_.clear(); }
  // The accesses of another launch are over.
  void start_launch();

  // @returns what is wrong with it, or nothing
  std::string access(const void* address, size_t bytes, bool is_write, const Moment& now);

 private:
  // Of one number: who has written it, and read it since.
  struct Cell {
    Moment writer, reader;
    Moment other_reader;  // the oldest one that no barrier separates from what followed
  };
  struct Range {
    uintptr_t first, end;
    size_t number;
    std::vector<Cell> cells;  // none where nobody may write
  };

  Range* range_of(uintptr_t address);

  std::vector<Range> ranges_;
  size_t last_ = 0;
};

}  // namespace st::emulation
