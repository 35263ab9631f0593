// Steps of a program that decide what runs next: branches, loops, calls back into the caller.
#pragma once

#include <cstdint>

namespace linnet {

// Parameters of such a step. Its kind is one of:
//   host   the run ends here, with kHost
//   test   goes to `target` where *number >= *limit or *condition is 0; absent ones do not count
//   jump   goes to `target`
//   again  adds one to *number where there is one, then goes to `target`
struct Flow {
  enum Kind : int { host, test, jump, again };
  Kind kind;
  int target;
  int64_t* number;
  const int64_t* limit;
  const uint8_t* condition;

  bool leaves() const {
    return (limit != nullptr && *number >= *limit) || (condition != nullptr && *condition == 0);
  }
};

}  // namespace linnet
