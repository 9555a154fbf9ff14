#pragma once
// Input pointers are const.
#define ZLIB_CONST
#include <zlib.h>
